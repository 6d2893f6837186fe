// SPDX-License-Identifier: Apache-2.0
//
// Runs `event_counters` for some cycles, for ctypes.

#include <cstdint>

#include "Vevent_counters_tb.h"

struct Bench {
  VerilatedContext context;
  Vevent_counters_tb top{&context};
};

extern "C" {

Bench *bench_open() { return new Bench; }

void bench_close(Bench *bench) { delete bench; }

// The same inputs for a number of cycles; then what the counters have.
void bench_cycles(Bench *bench, uint32_t reset, uint32_t clear, uint32_t events,
                  const uint32_t *amounts, uint32_t cycles, uint64_t *counters) {
  Vevent_counters_tb &top = bench->top;
  top.rst_ni = !reset;
  top.clear_i = clear;
  top.event_i = events;
  for (int i = 0; i < 8; ++i) top.amount_i[i] = amounts[i];
  for (uint32_t i = 0; i < cycles; ++i) {
    top.clk_i = 0;
    top.eval();
    top.clk_i = 1;
    top.eval();
    bench->context.timeInc(1);
  }
  for (int i = 0; i < 8; ++i) counters[i] = top.counter_o[i];
}

}  // extern "C"
