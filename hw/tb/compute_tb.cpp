// SPDX-License-Identifier: Apache-2.0
//
// Drives `compute_tb`, for ctypes. Data are bytes, in the order of the scratchpads' words.

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>

#include "Vcompute_tb.h"
#include "verilated.h"

namespace {

constexpr int InstructionBytes = 128;
constexpr int ParBytes = 7;

// A port of any width: Verilator's types are little endian.
template <typename Port>
void put(Port &port, const uint8_t *bytes, size_t count) {
  std::memcpy(&port, bytes, count);
}

struct Bench {
  VerilatedContext context;
  std::unique_ptr<Vcompute_tb> top;
  size_t word_bytes, output_lanes;

  Bench() : top(new Vcompute_tb(&context)) {
    reset();
    word_bytes = top->input_lanes_o;
    output_lanes = top->output_lanes_o;
  }

  void reset() {
    top->rst_ni = 0;
    top->instr_valid_i = top->load_valid_i = top->store_valid_i = 0;
    tick();
    top->rst_ni = 1;
  }

  // Inputs to what follows from them in the same cycle; then to the next one.
  void settle() {
    top->clk_i = 0;
    top->eval();
  }
  void edge() {
    top->clk_i = 1;
    top->eval();
  }
  void tick() {
    settle();
    edge();
  }
};

}  // namespace

extern "C" {

struct Traffic {
  uint32_t count;
  const uint32_t *address;
  const uint8_t *log2_l;
  uint8_t *data;  // words of a load, or those a store got
};

struct Run {
  uint32_t count;               // instructions
  const uint8_t *instructions;  // packed
  uint64_t *taken;              // cycle in which each was taken
  uint64_t *done;               // cycle of its done
  uint64_t most_cycles;
  uint64_t steps;               // counted
  uint64_t writes;              // of the drain
  double gap;                   // how likely no instruction, or transfer, is offered in a cycle
  uint64_t seed;
  Traffic load, store;
};

Bench *bench_open() { return new Bench; }
void bench_reset(Bench *bench) { bench->reset(); }
void bench_close(Bench *bench) { delete bench; }

void bench_load_act(Bench *b, const uint8_t *words, uint32_t count) {
  b->top->load_valid_i = 1;
  b->top->load_log2_l_i = 0;
  for (uint32_t i = 0; i < count; ++i) {
    b->top->load_address_i = i;
    put(b->top->load_data_i, words + i * b->word_bytes, b->word_bytes);
    b->tick();
  }
  b->top->load_valid_i = 0;
}

void bench_load_wgt(Bench *b, const uint8_t *words, uint32_t count) {
  const size_t bytes = b->word_bytes * b->output_lanes;
  b->top->wgt_valid_i = 1;
  for (uint32_t i = 0; i < count; ++i) {
    b->top->wgt_address_i = i;
    put(b->top->wgt_data_i, words + i * bytes, bytes);
    b->tick();
  }
  b->top->wgt_valid_i = 0;
}

void bench_load_par(Bench *b, const uint8_t *words, uint32_t count) {
  const size_t bytes = ParBytes * b->output_lanes;
  b->top->par_valid_i = 1;
  for (uint32_t i = 0; i < count; ++i) {
    b->top->par_address_i = i;
    put(b->top->par_data_i, words + i * bytes, bytes);
    b->tick();
  }
  b->top->par_valid_i = 0;
}

void bench_store_act(Bench *b, uint8_t *words, uint32_t count) {
  uint32_t asked = 0, got = 0;
  b->top->store_log2_l_i = 0;
  while (got < count) {
    b->top->store_valid_i = asked < count;
    b->top->store_address_i = asked;
    b->settle();
    asked += b->top->store_valid_i && b->top->store_ready_o;
    if (b->top->store_data_valid_o)
      std::memcpy(words + got++ * b->word_bytes, &b->top->store_data_o, b->word_bytes);
    b->edge();
  }
  b->top->store_valid_i = 0;
}

// Runs until all instructions are done and all transfers are over. Cycles, or 0 after most_cycles.
uint64_t bench_run(Bench *b, Run *run) {
  auto &top = *b->top;
  std::mt19937_64 random(run->seed);
  const uint64_t limit = run->gap * 4294967296.0;
  auto offers = [&] { return !limit || (random() & 0xffffffff) >= limit; };
  uint32_t taken = 0, done = 0, loaded = 0, asked = 0, got = 0;
  bool wait = false;  // for store's last data
  run->steps = run->writes = 0;
  for (uint64_t cycle = 1; cycle <= run->most_cycles; ++cycle) {
    if (taken < run->count && !top.instr_valid_i && offers()) {
      top.instr_valid_i = 1;
      put(top.instr_i, run->instructions + taken * InstructionBytes, InstructionBytes);
    }
    if (loaded < run->load.count && !top.load_valid_i && offers()) {
      top.load_valid_i = 1;
      top.load_address_i = run->load.address[loaded];
      top.load_log2_l_i = run->load.log2_l[loaded];
      put(top.load_data_i, run->load.data + loaded * b->word_bytes, b->word_bytes);
    }
    if (asked < run->store.count && !top.store_valid_i && offers()) {
      top.store_valid_i = 1;
      top.store_address_i = run->store.address[asked];
      top.store_log2_l_i = run->store.log2_l[asked];
    }
    b->settle();
    const bool take = top.instr_valid_i && top.instr_ready_o;
    const bool load = top.load_valid_i && top.load_ready_o;
    const bool ask = top.store_valid_i && top.store_ready_o;
    if (take) run->taken[taken++] = cycle;
    if (top.done_o) {
      if (done == run->count) return 0;
      run->done[done++] = cycle;
    }
    run->steps += top.step_o;
    run->writes += top.drain_valid_o;
    if (top.store_data_valid_o)
      std::memcpy(run->store.data + got++ * b->word_bytes, &top.store_data_o, b->word_bytes);
    loaded += load;
    asked += ask;
    wait = done < run->count || loaded < run->load.count || got < run->store.count || top.busy_o;
    b->edge();
    if (take) top.instr_valid_i = 0;
    if (load) top.load_valid_i = 0;
    if (ask) top.store_valid_i = 0;
    if (!wait) return cycle;
  }
  return 0;
}

}  // extern "C"
