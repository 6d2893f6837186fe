// SPDX-License-Identifier: Apache-2.0
//
// Plays the read master and the three units around `fetch`, with stalls, for ctypes. It checks that
// fetch never refuses a beat it asked for; what it gives out is the caller's business.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <random>

#include "Vfetch_tb.h"

extern "C" {

struct Given {
  uint8_t record[128];
  uint32_t unit, index, advance, reserved;
};

struct Setup {
  const uint8_t *memory;  // its first byte is at `origin`
  uint64_t origin, program_address;
  uint32_t once_bytes, body_bytes, count, input_stride, output_stride;
  uint32_t word_bytes, seed, stall_permille, latency;
  int64_t read_error;  // number of the beat with an error, or less than 0
  uint32_t closed;     // set of units that take nothing
  uint32_t most_given;
  Given *given;
  uint64_t most_cycles;
};

struct Result {
  char complaint[120];
  uint64_t cycles, beats;
  uint32_t given, iteration, finished, still, error, error_index;
};

void run(const Setup *setup, Result *result) {
  const Setup &s = *setup;
  *result = Result{};
  VerilatedContext context;
  context.fatalOnError(false);
  Vfetch_tb top{&context};
  std::mt19937 random(s.seed);
  auto chance = [&] { return random() % 1000 >= s.stall_permille; };
  auto complain = [&](const char *text) {
    if (result->complaint[0]) return;
    std::snprintf(result->complaint, sizeof result->complaint, "%s", text);
  };
  struct Ask { uint64_t address, due; uint32_t left; };
  std::deque<Ask> asks;
  uint64_t end = s.once_bytes + uint64_t{s.body_bytes};
  top.program_address_i = s.program_address;
  top.once_bytes_i = s.once_bytes;
  top.body_bytes_i = s.body_bytes;
  top.count_i = s.count;
  top.input_stride_i = s.input_stride;
  top.output_stride_i = s.output_stride;
  uint64_t quiet = 0;  // cycles without anything
  bool over = false;   // it said so, with nothing left in its queues
  for (uint64_t now = 0; now < s.most_cycles && quiet < 200; ++now) {
    top.rst_ni = now >= 3;
    top.start_i = now == 5;
    top.cmd_ready_i = chance();
    top.ready_i = 0;
    for (int unit = 0; unit < 3; ++unit)
      if (chance() && !(s.closed >> unit & 1)) top.ready_i |= 1 << unit;
    if (!top.beat_valid_i && !asks.empty() && asks.front().due <= now && chance()) {
      top.beat_valid_i = 1;
      std::memcpy(&top.beat_data_i, s.memory + (asks.front().address - s.origin), s.word_bytes);
      top.beat_error_i = int64_t(result->beats) == s.read_error;
    }
    top.clk_i = 0;
    top.eval();
    ++quiet;
    bool taken = false;
    if (top.rst_ni && top.cmd_valid_o && top.cmd_ready_i) {
      quiet = 0;
      uint64_t at = top.cmd_address_o - s.program_address;
      if (at + top.cmd_bytes_o > end) complain("asks for bytes outside the program");
      asks.push_back({top.cmd_address_o, now + s.latency, top.cmd_bytes_o});
    }
    if (top.beat_valid_i) {
      quiet = 0;
      if (!top.beat_ready_o) complain("refuses a beat it asked for");
      taken = true;
      ++result->beats;
      asks.front().address += s.word_bytes;
      if ((asks.front().left -= s.word_bytes) == 0) asks.pop_front();
    }
    for (uint32_t unit = 0; unit < 3 && top.rst_ni; ++unit) {
      if (!(top.valid_o >> unit & 1) || !(top.ready_i >> unit & 1)) continue;
      quiet = 0;
      if (over) complain("gives something after it finished");
      if (result->given == s.most_given) {
        complain("gives more than there is");
        continue;
      }
      Given &given = s.given[result->given++];
      given.unit = unit;
      given.index = top.index_o[unit];
      given.advance = unit == 0 ? top.load_advance_o : unit == 2 ? top.store_advance_o : 0;
      if (unit == 0) std::memcpy(given.record, &top.load_o, 64);
      if (unit == 1) std::memcpy(given.record, &top.compute_o, 128);
      if (unit == 2) std::memcpy(given.record, &top.store_o, 64);
    }
    over |= now > 6 && top.finished_o && top.empty_o;
    top.clk_i = 1;
    top.eval();
    context.timeInc(1);
    if (taken) top.beat_valid_i = 0;
    result->cycles = now;
  }
  if (quiet < 200) complain("does not end");
  if (context.gotError()) complain("an assertion failed");
  result->iteration = top.iteration_o;
  result->finished = top.finished_o;
  result->still = top.still_o;
  result->error = top.error_o;
  result->error_index = top.error_index_o;
  top.final();
}

}  // extern "C"
