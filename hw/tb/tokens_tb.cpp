// SPDX-License-Identifier: Apache-2.0
//
// One cycle of `tokens` at a time, for ctypes.

#include <cstdint>

#include "Vtokens.h"

struct Bench {
  VerilatedContext context;
  Vtokens top{&context};
};

extern "C" {

struct Inputs {
  uint32_t reset, valid, take, give, busy, fetch_still;
  uint32_t wait_for[3], signal_to[3];
};

struct Outputs {
  uint32_t grant, error, missing[3];
};

Bench *bench_open() {
  Bench *bench = new Bench;
  bench->context.fatalOnError(false);
  return bench;
}

void bench_close(Bench *bench) { delete bench; }

// What `tokens` says of the units that wait; then the cycle with what they take and give. `take` is
// of those that could. Returns whether an assertion failed.
int bench_cycle(Bench *bench, const Inputs *in, Outputs *out) {
  Vtokens &top = bench->top;
  top.clk_i = 0;
  top.rst_ni = !in->reset;
  top.valid_i = in->valid;
  top.give_i = in->give;
  top.busy_i = in->busy;
  top.fetch_still_i = in->fetch_still;
  top.take_i = 0;
  for (int unit = 0; unit < 3; ++unit) {
    top.wait_for_i[unit] = in->wait_for[unit];
    top.signal_to_i[unit] = in->signal_to[unit];
  }
  top.eval();
  out->grant = top.grant_o;
  out->error = top.error_o;
  for (int unit = 0; unit < 3; ++unit) out->missing[unit] = top.missing_o[unit];
  top.take_i = in->take & in->valid & top.grant_o;
  top.eval();
  top.clk_i = 1;
  top.eval();
  bench->context.timeInc(1);
  return bench->context.gotError();
}

}  // extern "C"
