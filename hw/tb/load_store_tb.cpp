// SPDX-License-Identifier: Apache-2.0
//
// Runs load and store against a memory behind AXI and scratchpads, both arrays of the caller, with
// stalls on every handshake. It checks the protocols itself and says so in Result::complaint; what
// the bytes should be is the caller's business.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "Vload_store_tb.h"
#include "axi_styles.h"

namespace {

using Bytes = std::vector<uint8_t>;

template <typename Port>
Bytes get(const Port &port, size_t count) {
  Bytes bytes(count);
  std::memcpy(bytes.data(), &port, count);
  return bytes;
}

}  // namespace

extern "C" {

// An instruction, when it may start, and how many scratchpad words it moves.
struct Item {
  uint32_t record[16];
  uint32_t index, advance;
  uint32_t after;  // instructions of the other unit that must be done
  uint32_t words;
};

struct Setup {
  uint8_t *memory;
  uint64_t memory_bytes, origin;  // AXI address of its first byte
  uint8_t *act, *wgt, *par;  // act is [banks][rows][C]
  uint32_t lanes, act_words, wgt_words, par_words;
  uint32_t word_bytes, wgt_bytes, par_bytes;  // of C, C*K, 7*K
  uint64_t base[4];
  uint32_t size[4];
  const Item *loads, *stores;
  uint32_t load_count, store_count;
  uint64_t other_first, other_bytes;  // what the other client reads; 0 bytes: it does not
  uint32_t seed, stall_permille;
  uint32_t style;  // of the memory's write channels, as axi_styles.h has it
  uint32_t latency, act_latency;
  int64_t read_error, write_error;  // number of the beat, the burst, whose response is an error
  uint64_t flush_at;  // cycle in which to stop all; 0: never
  uint64_t most_cycles;
};

struct Result {
  char complaint[160];
  uint64_t cycles;
  uint64_t read_beats, write_beats, other_beats;
  uint32_t loads_done, stores_done;
  uint32_t load_error, load_error_index, store_error, store_error_index;
};

}  // extern "C"

namespace {

// Sees that a payload stays while its valid is high and its ready low.
struct Watch {
  const char *name;
  bool waiting = false;
  Bytes payload;

  bool holds(bool valid, bool ready, Bytes now) {
    bool ok = !waiting || (valid && now == payload);
    waiting = valid && !ready;
    payload = std::move(now);
    return ok;
  }
};

struct Bench {
  const Setup &s;
  Result &result;
  VerilatedContext context;
  Vload_store_tb top{&context};
  std::mt19937 random, noise;
  uint64_t now = 0;

  struct Read { uint64_t address; uint32_t beats, left; uint64_t due; };
  struct Answer { uint64_t due; Bytes data; };
  struct Response { uint64_t due; uint32_t words; };
  struct Other { uint64_t address; uint32_t bytes, at; };
  std::deque<Read> reads;
  Writes writes;
  std::deque<Response> responses;
  std::deque<Answer> answers;
  std::deque<Other> others;
  Other offered{};
  int64_t beats_sent = 0, responses_sent = 0;
  uint64_t words_written = 0, words_stored = 0, load_words_due = 0, store_words_due = 0;
  uint32_t loads_given = 0, stores_given = 0;
  bool held_store = false, held_load = false, stopping = false;
  Watch ar{"AR"}, aw{"AW"}, w{"W"}, act_write{"act write"}, wgt{"wgt"}, par{"par"},
    act_read{"act read"};

  Bench(const Setup &setup, Result &out) : s(setup), result(out), random(setup.seed) {
    context.fatalOnError(false);
  }

  bool chance() { return random() % 1000 >= s.stall_permille; }

  void complain(const std::string &text) {
    if (result.complaint[0]) return;
    std::snprintf(result.complaint, sizeof result.complaint, "cycle %llu: %s",
                  static_cast<unsigned long long>(now), text.c_str());
  }

  void check(bool ok, const std::string &text) {
    if (!ok) complain(text);
  }

  uint8_t *act_word(uint32_t address, uint32_t log2_l) {
    address %= s.act_words;
    uint32_t l = 1u << log2_l, block = address / l;
    uint32_t bank = block % s.lanes, row = block / s.lanes * l + address % l;
    return s.act + (uint64_t{bank} * (s.act_words / s.lanes) + row) * s.word_bytes;
  }

  void check_burst(const char *name, uint64_t address, uint32_t beats) {
    std::string who = name;
    check(beats <= 16, who + ": more than 16 beats");
    check(address % s.word_bytes == 0, who + ": address within a word");
    uint64_t end = address + uint64_t{beats} * s.word_bytes;
    check(address / 4096 == (end - 1) / 4096, who + ": a burst crosses 4 KiB");
    check(address >= s.origin && end - s.origin <= s.memory_bytes, who + ": not in the memory");
  }

  void give(const Item *items, uint32_t count, uint32_t &given, uint32_t other_done, bool store) {
    bool ready = given < count && items[given].after <= other_done;
    const Item &item = items[ready ? given : 0];
    if (store) {
      // Held once offered: `after` stays true.
      top.store_valid_i = ready && (held_store || chance());
      held_store = top.store_valid_i;
      if (!top.store_valid_i) return;
      std::memcpy(&top.store_i, item.record, 64);
      top.store_index_i = item.index;
      top.store_advance_i = item.advance;
    } else {
      top.load_valid_i = ready && (held_load || chance());
      held_load = top.load_valid_i;
      if (!top.load_valid_i) return;
      std::memcpy(&top.load_i, item.record, 64);
      top.load_index_i = item.index;
      top.load_advance_i = item.advance;
    }
  }

  void drive() {
    give(s.loads, s.load_count, loads_given, result.stores_done, false);
    give(s.stores, s.store_count, stores_given, result.loads_done, true);
    if (!top.other_valid_i && s.other_bytes && !stopping && chance() && random() % 8 == 0) {
      offered.bytes = 1 + random() % 100;
      offered.address = s.other_first + random() % (s.other_bytes - offered.bytes);
      top.other_valid_i = 1;
      top.other_address_i = offered.address;
      top.other_bytes_i = offered.bytes;
    }
    top.other_beat_ready_i = chance();
    top.arready_i = chance();
    bool awvalid = top.awvalid_o, wvalid = top.wvalid_o;  // registers: they stay
    top.awready_i = chance() && writes.takes_address(s.style, awvalid, wvalid);
    top.wready_i = chance() && writes.takes_word(s.style, awvalid, wvalid, now);
    if (writes.together(s.style)) top.awready_i = top.wready_i = top.awready_i && top.wready_i;
    top.act_write_ready_i = chance();
    top.wgt_ready_i = chance();
    top.par_ready_i = chance();
    top.act_read_ready_i = chance();
    if (!top.rvalid_i && !reads.empty() && reads.front().due <= now && chance()) {
      Read &read = reads.front();
      uint64_t at = read.address + uint64_t{read.beats - read.left} * s.word_bytes;
      top.rvalid_i = 1;
      std::memcpy(&top.rdata_i, s.memory + (at - s.origin), s.word_bytes);
      top.rresp_i = beats_sent == s.read_error ? 2 : 0;
      top.rlast_i = read.left == 1;
    }
    if (!top.bvalid_i && !responses.empty() && responses.front().due <= now && chance()) {
      top.bvalid_i = 1;
      top.bresp_i = responses_sent == s.write_error ? 3 : 0;
    }
    junk();
    top.act_valid_i = !answers.empty() && answers.front().due <= now;
    if (top.act_valid_i)
      std::memcpy(&top.act_data_i, answers.front().data.data(), s.word_bytes);
  }

  // What is not valid means nothing.
  void junk() {
    uint32_t words[4];
    for (uint32_t &word : words) word = static_cast<uint32_t>(noise());
    if (!top.rvalid_i) {
      std::memcpy(&top.rdata_i, words, s.word_bytes);
      top.rresp_i = words[3] & 3;
      top.rlast_i = words[3] >> 2 & 1;
    }
    if (!top.bvalid_i) top.bresp_i = words[3] >> 3 & 3;
  }

  void watch(Watch &it, bool valid, bool ready, const Bytes &payload) {
    check(it.holds(valid, ready, payload), std::string(it.name) + ": changed before ready");
  }

  void observe_axi() {
    Bytes address = get(top.araddr_o, sizeof top.araddr_o);
    address.push_back(top.arlen_o);
    watch(ar, top.arvalid_o, top.arready_i, address);
    if (top.arvalid_o && top.arready_i) {
      check_burst("AR", top.araddr_o, top.arlen_o + 1u);
      uint32_t beats = top.arlen_o + 1u;
      reads.push_back({top.araddr_o, beats, beats, now + s.latency});
    }
    if (top.rvalid_i && top.rready_o) {
      top.rvalid_i = 0;
      ++beats_sent;
      ++result.read_beats;
      if (--reads.front().left == 0) reads.pop_front();
    }
    address = get(top.awaddr_o, sizeof top.awaddr_o);
    address.push_back(top.awlen_o);
    watch(aw, top.awvalid_o, top.awready_i, address);
    Bytes data = get(top.wdata_o, s.word_bytes);
    data.push_back(top.wlast_o);
    for (uint8_t byte : get(top.wstrb_o, sizeof top.wstrb_o)) data.push_back(byte);
    watch(w, top.wvalid_o, top.wready_i, data);
    if (top.awvalid_o && top.awready_i) {
      check_burst("AW", top.awaddr_o, top.awlen_o + 1u);
      writes.address(s.style, top.awaddr_o, top.awlen_o + 1u, now);
    }
    if (top.wvalid_o && top.wready_i) {
      ++result.write_beats;
      writes.word(data.data(), s.word_bytes, top.wstrb_o, top.wlast_o);
    }
    writes.settle([this](const Burst &burst, const Writes::Word &word) { write(burst, word); });
    if (top.bvalid_i && top.bready_o) {
      top.bvalid_i = 0;
      ++responses_sent;
      words_stored += responses.front().words;
      responses.pop_front();
    }
  }

  void write(const Burst &burst, const Writes::Word &word) {
    uint8_t *to = s.memory + (burst.address - s.origin) + uint64_t{burst.at} * s.word_bytes;
    for (uint32_t i = 0; i < s.word_bytes; ++i)
      if (word.strobes >> i & 1) to[i] = word.data[i];
    bool last = burst.at + 1 == burst.beats;
    check(word.last == last, "W: last is wrong");
    if (last) responses.push_back({now + s.latency, burst.beats});
  }

  void observe_scratchpads() {
    Bytes data = get(top.act_write_data_o, s.word_bytes);
    if (top.act_write_valid_o && top.act_write_ready_i) {
      std::memcpy(act_word(top.act_write_address_o, top.act_write_log2_l_o), data.data(),
                  s.word_bytes);
      ++words_written;
    }
    data.push_back(top.act_write_address_o & 255);
    data.push_back(top.act_write_log2_l_o);
    watch(act_write, top.act_write_valid_o, top.act_write_ready_i, data);
    Bytes wide = get(top.wgt_data_o, s.wgt_bytes);
    watch(wgt, top.wgt_valid_o, top.wgt_ready_i, wide);
    if (top.wgt_valid_o && top.wgt_ready_i) {
      uint64_t word = top.wgt_address_o % s.wgt_words;
      std::memcpy(s.wgt + word * s.wgt_bytes, wide.data(), s.wgt_bytes);
      ++words_written;
    }
    wide = get(top.par_data_o, s.par_bytes);
    watch(par, top.par_valid_o, top.par_ready_i, wide);
    if (top.par_valid_o && top.par_ready_i) {
      uint64_t word = top.par_address_o % s.par_words;
      std::memcpy(s.par + word * s.par_bytes, wide.data(), s.par_bytes);
      ++words_written;
    }
    if (top.act_valid_i) answers.pop_front();
    Bytes address = get(top.act_read_address_o, sizeof top.act_read_address_o);
    address.push_back(top.act_read_log2_l_o);
    watch(act_read, top.act_read_valid_o, top.act_read_ready_i, address);
    if (top.act_read_valid_o && top.act_read_ready_i) {
      uint8_t *from = act_word(top.act_read_address_o, top.act_read_log2_l_o);
      uint64_t due = now + s.act_latency + (s.stall_permille ? random() % 3 : 0);
      if (!answers.empty()) due = std::max(due, answers.back().due + 1);
      answers.push_back({due, Bytes(from, from + s.word_bytes)});
    }
  }

  void observe_units() {
    if (top.load_valid_i && top.load_ready_o) {
      ++loads_given;
      held_load = false;
    }
    if (top.store_valid_i && top.store_ready_o) {
      ++stores_given;
      held_store = false;
    }
    if (top.load_done_o) {
      check(result.loads_done < loads_given, "load: done without an instruction");
      const Item &item = s.loads[result.loads_done++];
      load_words_due += item.words;
      check(words_written >= load_words_due, "load: done before its last write");
      check(top.load_signal_o == (item.record[0] >> 8 & 7), "load: signals the wrong units");
    }
    if (top.store_done_o) {
      check(result.stores_done < stores_given, "store: done without an instruction");
      const Item &item = s.stores[result.stores_done++];
      store_words_due += item.words;
      check(words_stored >= store_words_due, "store: done before its last response");
      check(top.store_signal_o == (item.record[0] >> 8 & 7), "store: signals wrong units");
    }
    if (top.other_valid_i && top.other_ready_o) {
      others.push_back({offered.address, offered.bytes, 0});
      top.other_valid_i = 0;
    }
    if (top.other_beat_valid_o && top.other_beat_ready_i) other_beat();
  }

  void other_beat() {
    ++result.other_beats;
    if (others.empty()) return complain("other: a beat nobody asked for");
    Other &other = others.front();
    uint32_t offset = other.address % s.word_bytes;
    if (other.at == 0) check(top.other_beat_offset_o == offset, "other: wrong offset");
    uint64_t from = other.address - offset + uint64_t{other.at} * s.word_bytes;
    Bytes data = get(top.other_beat_data_o, s.word_bytes);
    bool same = !std::memcmp(data.data(), s.memory + (from - s.origin), s.word_bytes);
    check(same, "other: wrong bytes");
    ++other.at;
    bool last = from + s.word_bytes >= other.address + other.bytes;
    check(bool(top.other_beat_last_o) == last, "other: last is wrong");
    if (last) others.pop_front();
  }

  void cycle() {
    top.clk_i = 0;
    drive();
    top.eval();
    bool rvalid = top.rvalid_i, bvalid = top.bvalid_i, other = top.other_valid_i;
    if (top.rst_ni) {
      observe_axi();
      observe_scratchpads();
      if (top.unit_rst_ni) observe_units();
    }
    // What was taken goes low after the edge.
    bool rnext = top.rvalid_i, bnext = top.bvalid_i, onext = top.other_valid_i;
    top.rvalid_i = rvalid;
    top.bvalid_i = bvalid;
    top.other_valid_i = other;
    top.clk_i = 1;
    top.eval();
    top.rvalid_i = rnext;
    top.bvalid_i = bnext;
    top.other_valid_i = onext;
    ++now;
    context.timeInc(1);
  }

  bool finished() {
    return result.loads_done == s.load_count && result.stores_done == s.store_count;
  }

  void run() {
    top.rst_ni = top.unit_rst_ni = 0;
    for (int base = 0; base < 4; ++base) {
      top.base_i[base] = s.base[base];
      top.size_i[base] = s.size[base];
    }
    for (int i = 0; i < 3; ++i) cycle();
    top.rst_ni = top.unit_rst_ni = 1;
    uint64_t start = now;
    bool failed = false;
    while (!finished() && !failed && now < s.most_cycles && !result.complaint[0] &&
           !(s.flush_at && now >= s.flush_at)) {
      cycle();
      failed = top.load_error_o || top.store_error_o;
    }
    result.cycles = now - start;
    if (now >= s.most_cycles) complain("does not end");
    if (failed && s.stall_permille == 0) {  // all that can still happen does
      for (int i = 0; i < 3000; ++i) cycle();
    }
    result.load_error = top.load_error_o;
    result.load_error_index = top.load_error_index_o;
    result.store_error = top.store_error_o;
    result.store_error_index = top.store_error_index_o;
    stop();
    if (context.gotError()) complain("an assertion failed");
    top.final();
  }

  // Soft reset: units at once, masters when idle; then nothing moves any more.
  void stop() {
    uint64_t limit = now + 100000;
    stopping = true;
    top.unit_rst_ni = 0;
    top.flush_i = 1;
    loads_given = s.load_count;
    stores_given = s.store_count;
    top.load_valid_i = top.store_valid_i = top.other_valid_i = 0;
    answers.clear();
    act_write.waiting = wgt.waiting = par.waiting = act_read.waiting = false;
    do {
      cycle();
      act_write.waiting = wgt.waiting = par.waiting = act_read.waiting = false;
    } while (!top.idle_o && now < limit);
    check(top.idle_o, "flush: never idle");
    check(reads.empty() && writes.idle() && responses.empty(), "flush: idle too early");
    top.flush_i = 0;
    top.unit_rst_ni = 1;
    for (int i = 0; i < 50; ++i) {
      cycle();
      check(!top.arvalid_o && !top.awvalid_o && !top.wvalid_o, "flush: not at rest after it");
    }
  }
};

}  // namespace

extern "C" void run(const Setup *setup, Result *result) {
  *result = Result{};
  Bench(*setup, *result).run();
}
