// SPDX-License-Identifier: Apache-2.0
//
// The engine behind its registers and a model of DRAM, as a library: what a board is to a driver.
//
// Memory is the caller's: `bytes` from physical address `base` on. A read's first beat comes
// `latency` cycles after its address; reads and writes each take `bus_permille` of the cycles, no
// more than `outstanding` bursts wait. `stall_permille` holds up every handshake at random on top.
// `style` says how else it behaves within the rules of AXI, as axi_styles.h has it.
// What breaks a rule, in any cycle, is a complaint: axi_watch.h. Memory outside the caller's answers
// with an error.
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
#include "axi_styles.h"
#include "axi_watch.h"
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
  uint32_t latency, bus_permille, outstanding, stall_permille, seed, style;
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
constexpr uint64_t kPatience = 10000;  // cycles that a register may take

struct Response {
  uint64_t due;
  bool error;
};

struct Sim {
  Memory memory;
  VerilatedContext context;
  Vengine top{&context};
  std::mt19937 random;
  uint64_t now = 0;
  uint32_t read_credit = 0, write_credit = 0;
  std::deque<Burst> reads;
  Writes writes;
  std::deque<Response> responses;
  Gap ar, r, aw, w, b, host;
  bool write_error = false;
  Watch<Vengine, Vengine___024root, kWordBytes> watch;
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

  bool styled(uint32_t style) const { return memory.style & style; }

  bool open(Gap &gap) { return !styled(kGaps) || gap.open(random); }

  // When what comes at `soonest` is due, not before what came before it.
  uint64_t due(uint64_t soonest, uint64_t before) {
    if (styled(kLate)) soonest += random() % (kLater + 1);
    return std::max(soonest, before);
  }

  // Whether there is room for another burst, in its direction or in both.
  bool room(size_t under_way) const {
    if (styled(kOneAtATime)) return reads.empty() && writes.idle() && responses.empty();
    return under_way < memory.outstanding;
  }

  void drive() {
    top.mem_arready_i = room(reads.size()) && open(ar) && lucky();
    drive_writes();
    drive_read_data();
    if (!top.mem_bvalid_i && !responses.empty() && responses.front().due <= now && open(b) &&
        lucky()) {
      top.mem_bvalid_i = 1;
      top.mem_bresp_i = responses.front().error ? 3 : 0;
    }
    if (styled(kJunk)) junk();
  }

  void drive_writes() {
    bool awvalid = top.mem_awvalid_o, wvalid = top.mem_wvalid_o;  // registers: they stay
    size_t under_way = writes.bursts() + responses.size();
    // Words that came before their address are what it waits for.
    bool roomy = writes.ahead_of_address() ? under_way < memory.outstanding : room(under_way);
    if (styled(kOneAtATime) && top.mem_arvalid_o && top.mem_arready_i) roomy = false;
    top.mem_awready_i = roomy && writes.takes_address(memory.style, awvalid, wvalid) &&
                        open(aw) && lucky();
    read_credit = std::min(read_credit + memory.bus_permille, 2000u);
    write_credit = std::min(write_credit + memory.bus_permille, 2000u);
    bool begins = writes.idle();  // this word would be the first of what is under way
    top.mem_wready_i = write_credit >= 1000 && (!begins || roomy) &&
                       writes.takes_word(memory.style, awvalid, wvalid, now) && open(w) && lucky();
    if (writes.together(memory.style))
      top.mem_awready_i = top.mem_wready_i = top.mem_awready_i && top.mem_wready_i;
  }

  void drive_read_data() {
    if (top.mem_rvalid_i || reads.empty() || reads.front().due > now || read_credit < 1000 ||
        !open(r) || !lucky())
      return;
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

  // What is not valid means nothing.
  void junk() {
    uint32_t words[4];
    for (uint32_t &word : words) word = static_cast<uint32_t>(random());
    if (!top.mem_rvalid_i) {
      std::memcpy(&top.mem_rdata_i, words, kWordBytes);
      top.mem_rresp_i = words[3] & 3;
      top.mem_rlast_i = words[3] >> 2 & 1;
    }
    if (!top.mem_bvalid_i) top.mem_bresp_i = words[3] >> 3 & 3;
    if (!top.ctl_arvalid_i) top.ctl_araddr_i = words[0] & 255;
    if (!top.ctl_awvalid_i) top.ctl_awaddr_i = words[1] & 255;
    if (!top.ctl_wvalid_i) top.ctl_wdata_i = words[2], top.ctl_wstrb_i = words[3] >> 5 & 15;
  }

  // What both sides see of this cycle, before the edge.
  void observe() {
    if (activity) record(*activity);
    Open under_way{reads.size(), writes.bursts(), writes.ahead(), responses.size()};
    if (const char *wrong = watch.look(top, *top.rootp, under_way)) complain(wrong);
    if (top.mem_arvalid_o && top.mem_arready_i) {
      uint64_t before = reads.empty() ? 0 : reads.back().due;
      uint64_t first = due(now + memory.latency, before);
      reads.push_back({top.mem_araddr_o, top.mem_arlen_o + 1u, 0, first});
    }
    if (top.mem_awvalid_o && top.mem_awready_i)
      writes.address(memory.style, top.mem_awaddr_o, top.mem_awlen_o + 1u, now);
    if (top.mem_wvalid_o && top.mem_wready_i) {
      write_credit -= 1000;
      writes.word(&top.mem_wdata_o, kWordBytes, top.mem_wstrb_o, top.mem_wlast_o);
    }
    writes.settle([this](const Burst &burst, const Writes::Word &word) { write(burst, word); });
  }

  void record(Activity &a) {
    if (now < a.first || now - a.first >= uint64_t{a.cycles} * a.bins) return;
    uint32_t cycle = static_cast<uint32_t>(now - a.first);
    uint32_t events = top.rootp->engine__DOT__u_probe__DOT__events;
    for (uint32_t *count = a.counts + cycle / a.cycles * kEvents; events; ++count, events >>= 1)
      *count += events & 1;
    uint32_t take = top.rootp->engine__DOT__u_probe__DOT__take;
    for (uint32_t unit = 0; take; ++unit, take >>= 1) {
      if (!(take & 1) || a.begun == a.room) continue;
      uint32_t *row = a.instructions + 3 * a.begun++;
      row[0] = cycle;
      row[1] = unit;
      row[2] = top.rootp->engine__DOT__u_probe__DOT__index[unit];
    }
  }

  void dump(uint64_t half) {
#if VM_TRACE
    if (waves.isOpen() && now >= waves_first && now < waves_last) waves.dump(2 * now + half);
#else
    (void)half;
#endif
  }

  void write(const Burst &burst, const Writes::Word &word) {
    uint8_t *to = at(burst.address + uint64_t{burst.at} * kWordBytes);
    for (uint32_t i = 0; to && i < kWordBytes; ++i)
      if (word.strobes >> i & 1) to[i] = word.data[i];
    write_error |= !to;
    bool last = burst.at + 1 == burst.beats;
    if (word.last != last) complain("a wrong WLAST");
    if (!last) return;
    uint64_t before = responses.empty() ? 0 : responses.back().due;
    responses.push_back({due(now + memory.latency, before), write_error});
    write_error = false;
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

  // The host, too, has its pauses.
  void wait_for_gap() {
    while (!open(host)) cycle();
  }

  // Whether it makes sense to wait for the response of a register.
  bool answers_by(uint64_t end) {
    if (now >= end) complain("a register does not answer");
    return !complaint[0];
  }

  uint32_t read_register(uint32_t offset) {
    wait_for_gap();
    top.ctl_arvalid_i = 1;
    top.ctl_araddr_i = offset;
    for (uint64_t end = now + kPatience; answers_by(end);) {
      top.ctl_rready_i = open(host);
      top.clk_i = 0;
      top.eval();
      bool taken = top.ctl_arvalid_i && top.ctl_arready_o;
      bool answered = top.ctl_rvalid_o && top.ctl_rready_i;
      uint32_t value = top.ctl_rdata_o;
      cycle();
      if (taken) top.ctl_arvalid_i = 0;
      if (answered) {
        top.ctl_rready_i = 0;
        return value;
      }
    }
    return 0;
  }

  void offer_address(uint32_t offset) {
    top.ctl_awvalid_i = 1;
    top.ctl_awaddr_i = offset;
  }

  void offer_data(uint32_t value) {
    top.ctl_wvalid_i = 1;
    top.ctl_wdata_i = value;
    top.ctl_wstrb_i = 15;
  }

  void write_register(uint32_t offset, uint32_t value) {
    if (styled(kGaps) && random() & 1) {  // the address long before the data
      offer_address(offset);
      wait_for_gap();
      offer_data(value);
    } else {
      offer_data(value);
      wait_for_gap();
      offer_address(offset);
    }
    for (uint64_t end = now + kPatience; answers_by(end);) {
      top.ctl_bready_i = open(host);
      top.clk_i = 0;
      top.eval();
      bool address = top.ctl_awvalid_i && top.ctl_awready_o;
      bool data = top.ctl_wvalid_i && top.ctl_wready_o;
      bool answered = top.ctl_bvalid_o && top.ctl_bready_i;
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
  while (count < most_cycles && !s.top.interrupt_o && !s.complaint[0]) {
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
  m.style = memory->style;
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
