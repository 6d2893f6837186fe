// SPDX-License-Identifier: Apache-2.0
//
// How a memory behind AXI may behave within the rules of IHI0022: styles, to be or-ed, and the
// write channels of a memory that has them. cnnaccel/runtime/simulator.py names them for Python.

#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>

// At most one of the first four: when an address of a write is taken, and when its data.
enum Style : uint32_t {
  kWithData = 1,        // the address only in the cycle of its first word
  kAfterWord = 2,       // the address only after its first word
  kAfterBurst = 4,      // the address only after its last word
  kAddressFirst = 8,    // a word only kAhead cycles after its address
  kOneAtATime = 16,     // an address only when nothing else is under way, read or write
  kGaps = 32,           // each channel is shut for up to kGap cycles now and then
  kLate = 64,           // a read's first beat, a write's response up to kLater cycles later
  kJunk = 128,          // what is not valid is random
};

constexpr uint32_t kAhead = 64, kGap = 40, kLater = 500;

struct Burst {
  uint64_t address;
  uint32_t beats, at;
  uint64_t due;
};

// A channel that is open, or shut for some cycles.
class Gap {
 public:
  bool open(std::mt19937 &random) {
    if (shut_) --shut_;
    else if (random() % 16 == 0) shut_ = random() % (kGap + 1);
    return !shut_;
  }

 private:
  uint32_t shut_ = 0;
};

// AW and W of a memory: which bursts lack data, which words their address.
class Writes {
 public:
  struct Word {
    uint8_t data[16];
    uint32_t strobes;
    bool last;
  };

  size_t bursts() const { return bursts_.size(); }

  // Bursts whose words are all here, and not their address.
  uint32_t ahead() const { return lasts_; }

  bool ahead_of_address() const { return !words_.empty(); }

  bool idle() const { return bursts_.empty() && words_.empty(); }

  // Whether this cycle may take an address, a word; if `together`, both or none.
  bool takes_address(uint32_t style, bool awvalid, bool wvalid) const {
    if (style & kWithData) return bursts_.empty() && awvalid && wvalid;
    if (style & kAfterWord) return !words_.empty();
    if (style & kAfterBurst) return lasts_ > 0;
    return true;
  }
  bool takes_word(uint32_t style, bool awvalid, bool wvalid, uint64_t now) const {
    if (together(style)) return awvalid && wvalid;
    if (style & kAfterWord) return true;
    if (style & kAfterBurst) return lasts_ == 0;
    return !bursts_.empty() && bursts_.front().due <= now;
  }
  bool together(uint32_t style) const { return (style & kWithData) && bursts_.empty(); }

  void address(uint32_t style, uint64_t address, uint32_t beats, uint64_t now) {
    bursts_.push_back({address, beats, 0, style & kAddressFirst ? now + kAhead : 0});
  }
  void word(const void *data, uint32_t bytes, uint32_t strobes, bool last) {
    words_.push_back({{}, strobes, last});
    std::memcpy(words_.back().data, data, bytes);
    lasts_ += last;
  }

  // Calls write(burst, word) for words that have an address, burst.at saying which of it.
  template <typename Write>
  void settle(Write write) {
    while (!bursts_.empty() && !words_.empty()) {
      Burst &burst = bursts_.front();
      write(burst, words_.front());
      lasts_ -= words_.front().last;
      words_.pop_front();
      if (++burst.at == burst.beats) bursts_.pop_front();
    }
  }

 private:
  std::deque<Burst> bursts_;  // that lack words
  std::deque<Word> words_;    // that lack an address
  uint32_t lasts_ = 0;        // among them, those that end a burst
};
