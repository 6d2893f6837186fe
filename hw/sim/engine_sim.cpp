// SPDX-License-Identifier: Apache-2.0
//
// The engine behind its registers and a model of DRAM, as a library: what a board is to a driver.
//
// Memory is the caller's: `bytes` from physical address `base` on. A read's first beat comes
// `latency` cycles after its address; reads and writes each take `bus_permille` of the cycles, no
// more than `outstanding` bursts wait. `stall_permille` holds up every handshake at random on top.
// Wrong use of AXI is a complaint, and memory outside the caller's answers with an error.
//
// On request it counts what the units do, and writes the waves of some cycles to a file.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <random>

#include "Vengine.h"
#include "Vengine___024root.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Waves = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Waves = VerilatedVcdC;
#endif

extern "C" {

struct Memory {
  uint8_t *data;
  uint64_t base, bytes;
  uint32_t latency, bus_permille, outstanding, stall_permille, seed;
};

// `bins` rows of `kEvents` counts, each of `cycles` cycles from cycle `first` on, and, in rows of
// cycle since `first`, unit, index, the instructions that begin in them.
struct Activity {
  uint64_t first;
  uint32_t cycles, bins;
  uint32_t *counts;
  uint32_t room, begun;
  uint32_t *instructions;
};

}  // extern "C"

namespace {

constexpr uint32_t kWordBytes = sizeof(Vengine::mem_rdata_i);
constexpr uint32_t kEvents = 8;  // as `monitor` lists them

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
  Activity *activity = nullptr;
#if VM_TRACE
  Waves waves;
  uint64_t waves_first = 0, waves_last = 0;
#endif

  explicit Sim(const Memory &m) : memory(m), random(m.seed) {
    context.fatalOnError(false);
#if VM_TRACE
    context.traceEverOn(true);
    top.trace(&waves, 99);
#endif
    top.rst_ni = 0;
    for (int i = 0; i < 4; ++i) cycle();
    top.rst_ni = 1;
  }

  // The model leaves the context of its thread, which is that of the newest engine, maybe gone.
  ~Sim() { Verilated::threadContextp(&context); }

  void complain(const char *text) {
    if (!complaint[0])
      std::snprintf(complaint, sizeof complaint, "cycle %llu: %s",
                    static_cast<unsigned long long>(now), text);
  }

  bool lucky() { return memory.stall_permille == 0 || random() % 1000 >= memory.stall_permille; }

  // The caller's memory at an address, or none.
  uint8_t *at(uint64_t address) {
    uint64_t offset = address - memory.base;
    bool inside = address >= memory.base && offset + kWordBytes <= memory.bytes;
    return inside ? memory.data + offset : nullptr;
  }

  void check_burst(uint64_t address, uint32_t beats) {
    uint64_t end = address + uint64_t{beats} * kWordBytes;
    if (beats > 16) complain("a burst of more than 16 beats");
    if (address % kWordBytes) complain("a burst that begins within a word");
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
      const uint8_t *from = at(read.address + uint64_t{read.at} * kWordBytes);
      top.mem_rvalid_i = 1;
      top.mem_rresp_i = from ? 0 : 3;
      top.mem_rlast_i = read.at + 1 == read.beats;
      if (from)
        std::memcpy(&top.mem_rdata_i, from, kWordBytes);
      else
        std::memset(&top.mem_rdata_i, 0, kWordBytes);
      read_credit -= 1000;
    }
    if (!top.mem_bvalid_i && !responses.empty() && responses.front().due <= now && lucky()) {
      top.mem_bvalid_i = 1;
      top.mem_bresp_i = responses.front().at ? 3 : 0;
    }
  }

  // What both sides see of this cycle, before the edge.
  void observe() {
    if (activity) record(*activity);
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

  void record(Activity &a) {
    if (now < a.first || now - a.first >= uint64_t{a.cycles} * a.bins) return;
    uint32_t cycle = static_cast<uint32_t>(now - a.first);
    uint32_t events = top.rootp->engine__DOT__u_monitor__DOT__events;
    for (uint32_t *count = a.counts + cycle / a.cycles * kEvents; events; ++count, events >>= 1)
      *count += events & 1;
    for (uint32_t unit = 0, take = top.rootp->engine__DOT__take; take; ++unit, take >>= 1) {
      if (!(take & 1) || a.begun == a.room) continue;
      uint32_t *row = a.instructions + 3 * a.begun++;
      row[0] = cycle;
      row[1] = unit;
      row[2] = top.rootp->engine__DOT__index[unit];
    }
  }

  void dump(uint64_t half) {
#if VM_TRACE
    if (waves.isOpen() && now >= waves_first && now < waves_last) waves.dump(2 * now + half);
#else
    (void)half;
#endif
  }

  void write_beat() {
    write_credit -= 1000;
    Burst &write = writes.front();
    uint8_t *to = at(write.address + uint64_t{write.at} * kWordBytes);
    uint8_t data[16];
    std::memcpy(data, &top.mem_wdata_o, kWordBytes);
    for (uint32_t i = 0; to && i < kWordBytes; ++i)
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
    dump(0);
    observe();
    bool read_taken = top.mem_rvalid_i && top.mem_rready_o;
    bool response_taken = top.mem_bvalid_i && top.mem_bready_o;
    top.clk_i = 1;
    top.eval();
    dump(1);
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

bool sim_interrupt(void *sim) { return static_cast<Sim *>(sim)->top.interrupt_o; }

uint64_t sim_now(void *sim) { return static_cast<Sim *>(sim)->now; }

// Counts into what the caller keeps until it says none.
void sim_record(void *sim, Activity *activity) { static_cast<Sim *>(sim)->activity = activity; }

// Writes the waves of these cycles, until the end of the simulation or the next call; an empty path
// ends it. Whether this library can.
bool sim_trace(void *sim, const char *path, uint64_t first, uint64_t last) {
#if VM_TRACE
  Sim &s = *static_cast<Sim *>(sim);
  if (s.waves.isOpen()) s.waves.close();
  if (!*path) return true;
  s.waves.open(path);
  s.waves_first = first;
  s.waves_last = last;
  return s.waves.isOpen();
#else
  (void)sim, (void)path, (void)first, (void)last;
  return false;
#endif
}

#if VM_COVERAGE
void sim_coverage(void *sim, const char *path) {
  static_cast<Sim *>(sim)->context.coveragep()->write(path);
}
#endif

const char *sim_complaint(void *sim) { return static_cast<Sim *>(sim)->complaint; }

}  // extern "C"
