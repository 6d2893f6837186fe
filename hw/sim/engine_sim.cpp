// SPDX-License-Identifier: Apache-2.0
//
// The engine behind its registers and a model of DRAM, as a library: what a board is to a driver.
//
// Memory is the caller's: `bytes` from physical address `base` on. A read's first beat comes
// `latency` cycles after its address; reads and writes each take `bus_permille` of the cycles, no
// more than `outstanding` bursts wait. `stall_permille` holds up every handshake at random on top.
// Wrong use of AXI is a complaint, and memory outside the caller's answers with an error.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <random>

#include "Vengine.h"

extern "C" {

struct Memory {
  uint8_t *data;
  uint64_t base, bytes;
  uint32_t word_bytes;
  uint32_t latency, bus_permille, outstanding, stall_permille, seed;
};

}  // extern "C"

namespace {

struct Burst {
  uint64_t address;
  uint32_t beats, at;
  uint64_t due;
};

struct Sim {
  Memory memory;
  VerilatedContext context;
  Vengine top{&context};
  std::mt19937 random;
  uint64_t now = 0;
  uint32_t read_credit = 0, write_credit = 0;
  std::deque<Burst> reads, writes;
  std::deque<Burst> responses;
  bool write_error = false;
  char complaint[160] = "";

  explicit Sim(const Memory &m) : memory(m), random(m.seed) {
    context.fatalOnError(false);
    top.rst_ni = 0;
    for (int i = 0; i < 4; ++i) cycle();
    top.rst_ni = 1;
  }

  void complain(const char *text) {
    if (!complaint[0])
      std::snprintf(complaint, sizeof complaint, "cycle %llu: %s",
                    static_cast<unsigned long long>(now), text);
  }

  bool lucky() { return memory.stall_permille == 0 || random() % 1000 >= memory.stall_permille; }

  // The caller's memory at an address, or none.
  uint8_t *at(uint64_t address) {
    uint64_t offset = address - memory.base;
    bool inside = address >= memory.base && offset + memory.word_bytes <= memory.bytes;
    return inside ? memory.data + offset : nullptr;
  }

  void check_burst(uint64_t address, uint32_t beats) {
    uint64_t end = address + uint64_t{beats} * memory.word_bytes;
    if (beats > 16) complain("a burst of more than 16 beats");
    if (address % memory.word_bytes) complain("a burst that begins within a word");
    if (address / 4096 != (end - 1) / 4096) complain("a burst that crosses 4 KiB");
  }

  void drive() {
    top.mem_arready_i = reads.size() < memory.outstanding && lucky();
    top.mem_awready_i = writes.size() + responses.size() < memory.outstanding && lucky();
    read_credit = std::min(read_credit + memory.bus_permille, 2000u);
    write_credit = std::min(write_credit + memory.bus_permille, 2000u);
    top.mem_wready_i = write_credit >= 1000 && !writes.empty() && lucky();
    if (!top.mem_rvalid_i && !reads.empty() && reads.front().due <= now && read_credit >= 1000 &&
        lucky()) {
      Burst &read = reads.front();
      const uint8_t *from = at(read.address + uint64_t{read.at} * memory.word_bytes);
      top.mem_rvalid_i = 1;
      top.mem_rresp_i = from ? 0 : 3;
      top.mem_rlast_i = read.at + 1 == read.beats;
      if (from)
        std::memcpy(&top.mem_rdata_i, from, memory.word_bytes);
      else
        std::memset(&top.mem_rdata_i, 0, memory.word_bytes);
      read_credit -= 1000;
    }
    if (!top.mem_bvalid_i && !responses.empty() && responses.front().due <= now && lucky()) {
      top.mem_bvalid_i = 1;
      top.mem_bresp_i = responses.front().at ? 3 : 0;
    }
  }

  // What both sides see of this cycle, before the edge.
  void observe() {
    if (top.mem_arvalid_o && top.mem_arready_i) {
      check_burst(top.mem_araddr_o, top.mem_arlen_o + 1u);
      reads.push_back({top.mem_araddr_o, top.mem_arlen_o + 1u, 0, now + memory.latency});
    }
    if (top.mem_awvalid_o && top.mem_awready_i) {
      check_burst(top.mem_awaddr_o, top.mem_awlen_o + 1u);
      writes.push_back({top.mem_awaddr_o, top.mem_awlen_o + 1u, 0, 0});
    }
    if (top.mem_wvalid_o && top.mem_wready_i) write_beat();
  }

  void write_beat() {
    write_credit -= 1000;
    Burst &write = writes.front();
    uint8_t *to = at(write.address + uint64_t{write.at} * memory.word_bytes);
    uint8_t data[16];
    std::memcpy(data, &top.mem_wdata_o, memory.word_bytes);
    for (uint32_t i = 0; to && i < memory.word_bytes; ++i)
      if (top.mem_wstrb_o >> i & 1) to[i] = data[i];
    write_error |= !to;
    ++write.at;
    if (bool(top.mem_wlast_o) != (write.at == write.beats)) complain("a wrong WLAST");
    if (write.at == write.beats) {
      responses.push_back({0, 0, write_error, now + memory.latency});
      write_error = false;
      writes.pop_front();
    }
  }

  void cycle() {
    drive();
    top.clk_i = 0;
    top.eval();
    observe();
    bool read_taken = top.mem_rvalid_i && top.mem_rready_o;
    bool response_taken = top.mem_bvalid_i && top.mem_bready_o;
    top.clk_i = 1;
    top.eval();
    if (read_taken) {
      top.mem_rvalid_i = 0;
      if (++reads.front().at == reads.front().beats) reads.pop_front();
    }
    if (response_taken) {
      top.mem_bvalid_i = 0;
      responses.pop_front();
    }
    ++now;
  }

  uint32_t read_register(uint32_t offset) {
    top.ctl_arvalid_i = 1;
    top.ctl_araddr_i = offset;
    top.ctl_rready_i = 1;
    for (;;) {
      top.clk_i = 0;
      top.eval();
      bool taken = top.ctl_arvalid_i && top.ctl_arready_o;
      bool answered = top.ctl_rvalid_o;
      uint32_t value = top.ctl_rdata_o;
      cycle();
      if (taken) top.ctl_arvalid_i = 0;
      if (answered) {
        top.ctl_rready_i = 0;
        return value;
      }
    }
  }

  void write_register(uint32_t offset, uint32_t value) {
    top.ctl_awvalid_i = top.ctl_wvalid_i = top.ctl_bready_i = 1;
    top.ctl_awaddr_i = offset;
    top.ctl_wdata_i = value;
    top.ctl_wstrb_i = 15;
    for (;;) {
      top.clk_i = 0;
      top.eval();
      bool address = top.ctl_awvalid_i && top.ctl_awready_o;
      bool data = top.ctl_wvalid_i && top.ctl_wready_o;
      bool answered = top.ctl_bvalid_o;
      cycle();
      if (address) top.ctl_awvalid_i = 0;
      if (data) top.ctl_wvalid_i = 0;
      if (answered) {
        top.ctl_bready_i = 0;
        return;
      }
    }
  }
};

}  // namespace

extern "C" {

void *sim_new(const Memory *memory) { return new Sim(*memory); }

void sim_free(void *sim) { delete static_cast<Sim *>(sim); }

uint32_t sim_read(void *sim, uint32_t offset) {
  return static_cast<Sim *>(sim)->read_register(offset);
}

void sim_write(void *sim, uint32_t offset, uint32_t value) {
  static_cast<Sim *>(sim)->write_register(offset, value);
}

// Runs until an interrupt, at most so many cycles; how many it was.
uint64_t sim_run(void *sim, uint64_t most_cycles) {
  Sim &s = *static_cast<Sim *>(sim);
  uint64_t count = 0;
  while (count < most_cycles && !s.top.interrupt_o) {
    s.cycle();
    ++count;
  }
  return count;
}

// From now on memory is as slow as this one says.
void sim_slow(void *sim, const Memory *memory) {
  Memory &m = static_cast<Sim *>(sim)->memory;
  m.latency = memory->latency;
  m.bus_permille = memory->bus_permille;
  m.outstanding = memory->outstanding;
  m.stall_permille = memory->stall_permille;
}

const char *sim_complaint(void *sim) { return static_cast<Sim *>(sim)->complaint; }

}  // extern "C"
