// SPDX-License-Identifier: Apache-2.0
//
// Plays the host at the registers, with stalls on every channel, for ctypes.

#include <cstdint>
#include <random>

#include "Vaxi_lite_regs_tb.h"

namespace {

struct Bench {
  VerilatedContext context;
  Vaxi_lite_regs_tb top{&context};
  std::mt19937 random;
  uint32_t stall_permille;
  uint32_t starts = 0, resets = 0;
  bool write_taken = false, read_taken = false, write_answered = false, read_answered = false;

  Bench(uint32_t seed, uint32_t stall) : random(seed), stall_permille(stall) {
    context.fatalOnError(false);
    top.rst_ni = 0;
    for (int i = 0; i < 3; ++i) cycle();
    top.rst_ni = 1;
  }

  bool chance() { return random() % 1000 >= stall_permille; }

  void cycle() {
    top.clk_i = 0;
    top.eval();
    write_taken = top.axi_awvalid_i && top.axi_awready_o;
    read_taken = top.axi_arvalid_i && top.axi_arready_o;
    write_answered = top.axi_bvalid_o && top.axi_bready_i;
    read_answered = top.axi_rvalid_o && top.axi_rready_i;
    starts += top.start_o;
    resets += top.reset_o;
    top.clk_i = 1;
    top.eval();
    context.timeInc(1);
  }
};

constexpr int Watchdog = 100000;

}  // namespace

extern "C" {

struct State {
  uint32_t busy, done, failed, error, failing_instruction, iteration, waiting;
  uint64_t counters[8];
};

struct Outputs {
  uint64_t program_address;
  uint32_t once_bytes, body_bytes, count;
  uint64_t base[4];
  uint32_t size[4];
  uint32_t input_stride, output_stride;
  uint32_t interrupt, starts, resets;
};

Bench *bench_open(uint32_t seed, uint32_t stall_permille) {
  return new Bench(seed, stall_permille);
}

void bench_close(Bench *bench) { delete bench; }

// 0: the response is OKAY; else what was wrong.
int bench_write(Bench *bench, uint32_t at, uint32_t value, uint32_t strobes) {
  Vaxi_lite_regs_tb &top = bench->top;
  top.axi_awaddr_i = at;
  top.axi_wdata_i = value;
  top.axi_wstrb_i = strobes;
  bool address_given = false, data_given = false;
  for (int i = 0; i < Watchdog; ++i) {
    top.axi_awvalid_i = !address_given && (top.axi_awvalid_i || bench->chance());
    top.axi_wvalid_i = !data_given && (top.axi_wvalid_i || bench->chance());
    top.axi_bready_i = bench->chance();
    top.clk_i = 0;
    top.eval();
    bool data_taken = top.axi_wvalid_i && top.axi_wready_o;
    bench->cycle();
    address_given |= bench->write_taken;
    data_given |= data_taken;
    if (bench->write_answered) {
      bool both = address_given && data_given;
      top.axi_awvalid_i = top.axi_wvalid_i = 0;
      return !both ? 1 : top.axi_bresp_o ? 2 : 0;
    }
  }
  return 3;
}

int bench_read(Bench *bench, uint32_t at, uint32_t *value) {
  Vaxi_lite_regs_tb &top = bench->top;
  top.axi_araddr_i = at;
  bool given = false;
  for (int i = 0; i < Watchdog; ++i) {
    top.axi_arvalid_i = !given && (top.axi_arvalid_i || bench->chance());
    top.axi_rready_i = bench->chance();
    top.clk_i = 0;
    top.eval();
    *value = top.axi_rdata_o;
    bool okay = top.axi_rresp_o == 0;
    bench->cycle();
    given |= bench->read_taken;
    if (bench->read_answered) {
      top.axi_arvalid_i = 0;
      return !given ? 1 : okay ? 0 : 2;
    }
  }
  return 3;
}

// Accesses that do not wait for the responses of those before them. 0, or what was wrong.
int bench_write_all(Bench *bench, uint32_t count, const uint32_t *at, const uint32_t *values) {
  Vaxi_lite_regs_tb &top = bench->top;
  uint32_t given = 0, answered = 0;
  top.axi_wstrb_i = 15;
  for (int i = 0; i < Watchdog && answered < count; ++i) {
    bool offer = given < count && (top.axi_awvalid_i || bench->chance());
    top.axi_awvalid_i = top.axi_wvalid_i = offer;
    if (offer) {
      top.axi_awaddr_i = at[given];
      top.axi_wdata_i = values[given];
    }
    top.axi_bready_i = bench->chance();
    bench->cycle();
    if (bench->write_taken) ++given, top.axi_awvalid_i = 0;
    if (bench->write_answered) ++answered;
  }
  top.axi_awvalid_i = top.axi_wvalid_i = 0;
  return answered < count;
}

int bench_read_all(Bench *bench, uint32_t count, const uint32_t *at, uint32_t *values) {
  Vaxi_lite_regs_tb &top = bench->top;
  uint32_t given = 0, answered = 0;
  for (int i = 0; i < Watchdog && answered < count; ++i) {
    top.axi_arvalid_i = given < count && (top.axi_arvalid_i || bench->chance());
    if (top.axi_arvalid_i) top.axi_araddr_i = at[given];
    top.axi_rready_i = bench->chance();
    top.clk_i = 0;
    top.eval();
    values[answered] = top.axi_rdata_o;
    bench->cycle();
    if (bench->read_taken) ++given, top.axi_arvalid_i = 0;
    if (bench->read_answered) ++answered;
  }
  top.axi_arvalid_i = 0;
  return answered < count;
}

void bench_set(Bench *bench, const State *state) {
  Vaxi_lite_regs_tb &top = bench->top;
  top.busy_i = state->busy;
  top.done_i = state->done;
  top.failed_i = state->failed;
  top.error_i = state->error;
  top.failing_instruction_i = state->failing_instruction;
  top.iteration_i = state->iteration;
  top.waiting_i = state->waiting;
  for (int i = 0; i < 8; ++i) top.counters_i[i] = state->counters[i];
  bench->cycle();
  bench->cycle();
}

void bench_get(Bench *bench, Outputs *out) {
  Vaxi_lite_regs_tb &top = bench->top;
  bench->cycle();
  bench->cycle();
  out->program_address = top.program_address_o;
  out->once_bytes = top.once_bytes_o;
  out->body_bytes = top.body_bytes_o;
  out->count = top.count_o;
  for (int i = 0; i < 4; ++i) {
    out->base[i] = top.base_o[i];
    out->size[i] = top.size_o[i];
  }
  out->input_stride = top.input_stride_o;
  out->output_stride = top.output_stride_o;
  out->interrupt = top.interrupt_o;
  out->starts = bench->starts;
  out->resets = bench->resets;
}

}  // extern "C"
