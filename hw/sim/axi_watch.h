// SPDX-License-Identifier: Apache-2.0
//
// What AXI and the engine promise of each cycle, looked at in each cycle. The first thing that is
// wrong is said once, in words.

#pragma once

#include <cstdint>
#include <cstring>

// A channel whose payload and valid stay as they are until ready (IHI0022, A3.2.1).
template <size_t Bytes>
class Held {
 public:
  // Whether this cycle keeps what the one before has promised.
  template <typename... Ports>
  bool keeps(bool valid, bool ready, const Ports &...ports) {
    static_assert((sizeof(Ports) + ...) <= Bytes);
    offered_ = valid && !waits_;
    bool kept = !waits_ || (valid && same(ports...));
    waits_ = valid && !ready;
    if (waits_) keep(ports...);
    return kept;
  }

  // This cycle is the first of an offer.
  bool offered() const { return offered_; }

 private:
  bool waits_ = false, offered_ = false;
  uint8_t payload_[Bytes];

  template <typename... Ports>
  bool same(const Ports &...ports) const {
    size_t at = 0;
    auto one = [&](const void *port, size_t bytes) {
      at += bytes;
      return !std::memcmp(payload_ + at - bytes, port, bytes);
    };
    return (one(&ports, sizeof ports) && ...);
  }

  template <typename... Ports>
  void keep(const Ports &...ports) {
    size_t at = 0;
    auto one = [&](const void *port, size_t bytes) {
      std::memcpy(payload_ + at, port, bytes);
      at += bytes;
    };
    (one(&ports, sizeof ports), ...);
  }
};

// Bytes first to end - 1.
struct Region {
  uint64_t first, end;

  bool holds(Region other) const { return other.first >= first && other.end <= end; }
  // With the rest of its first and last word: a read is of whole words.
  Region words(uint64_t bytes) const {
    return {first / bytes * bytes, (end + bytes - 1) / bytes * bytes};
  }
};

// Top: the engine. Open: what is under way as the memory sees it, before this cycle.
struct Open {
  size_t reads, lacking, ahead, responses;
};

template <typename Top, typename Root, uint32_t WordBytes>
class Watch {
 public:
  // What is wrong with this cycle, or nothing. Call it once a cycle, before the edge.
  const char *look(const Top &top, const Root &root, const Open &open) {
    const char *wrong = nullptr;
    auto check = [&](bool well, const char *text) {
      if (!well && !wrong) wrong = text;
    };
    if (!top.rst_ni) {
      check(!in_reset_ || !(top.mem_arvalid_o | top.mem_awvalid_o | top.mem_wvalid_o |
                            top.ctl_bvalid_o | top.ctl_rvalid_o), "valid in reset");
      in_reset_ = true;
      return wrong;
    }
    check(ar_.keeps(top.mem_arvalid_o, top.mem_arready_i, top.mem_araddr_o, top.mem_arlen_o),
          "AR changes before it is taken");
    check(aw_.keeps(top.mem_awvalid_o, top.mem_awready_i, top.mem_awaddr_o, top.mem_awlen_o),
          "AW changes before it is taken");
    check(w_.keeps(top.mem_wvalid_o, top.mem_wready_i, top.mem_wdata_o, top.mem_wstrb_o,
                   top.mem_wlast_o), "W changes before it is taken");
    check(b_.keeps(top.ctl_bvalid_o, top.ctl_bready_i, top.ctl_bresp_o),
          "B of a register changes before it is taken");
    check(r_.keeps(top.ctl_rvalid_o, top.ctl_rready_i, top.ctl_rdata_o, top.ctl_rresp_o),
          "R of a register changes before it is taken");
    if (ar_.offered()) {
      Region read = burst(top.mem_araddr_o, top.mem_arlen_o);
      check(!illegal(read), illegal(read));
      check(open.reads < kOutstanding, "more than 8 reads under way");
      check(readable(root, read), "a read outside the buffers");
    }
    if (aw_.offered()) {
      Region write = burst(top.mem_awaddr_o, top.mem_awlen_o);
      check(!illegal(write), illegal(write));
      check(open.lacking + open.responses < kOutstanding, "more than 8 writes under way");
      check(writable(root, write), "a write outside the buffers");
    }
    if (w_.offered()) {
      uint32_t all = (1u << WordBytes) - 1;
      check(open.lacking + top.mem_awvalid_o > open.ahead, "a word that no burst lacks");
      bool flush = root.engine__DOT__u_probe__DOT__flush;
      check(top.mem_wstrb_o == all || (top.mem_wstrb_o == 0 && flush),
            "strobes that are not all ones, nor none in a flush");
    }
    registers(top, check);
    if (!root.engine__DOT__u_probe__DOT__busy)
      check(!(open.reads + open.lacking + open.ahead + open.responses + top.mem_arvalid_o +
              top.mem_awvalid_o + top.mem_wvalid_o), "something is under way and nothing busy");
    return wrong;
  }

 private:
  static constexpr uint32_t kOutstanding = 8;  // of both masters
  enum { kWeights, kInput, kOutput, kScratch };  // as base_e of cnnaccel_pkg

  Held<16> ar_, aw_;
  Held<24> w_;
  Held<8> b_, r_;
  uint32_t owes_b_ = 0, owes_r_ = 0;
  bool in_reset_ = false;

  static Region burst(uint64_t address, uint32_t len) {
    return {address, address + uint64_t{len + 1} * WordBytes};
  }

  // What is wrong with a burst whatever the buffers, or nothing.
  static const char *illegal(Region burst) {
    if (burst.end - burst.first > 16 * WordBytes) return "a burst of more than 16 beats";
    if (burst.first % WordBytes) return "a burst that begins within a word";
    if (burst.first / 4096 != (burst.end - 1) / 4096) return "a burst that crosses 4 KiB";
    return nullptr;
  }

  static Region buffer(const Root &root, int which) {
    uint64_t first = root.engine__DOT__u_probe__DOT__base[which];
    return {first, first + root.engine__DOT__u_probe__DOT__size[which]};
  }

  static bool writable(const Root &root, Region burst) {
    return buffer(root, kOutput).holds(burst) || buffer(root, kScratch).holds(burst);
  }

  static bool readable(const Root &root, Region burst) {
    uint64_t first = root.engine__DOT__u_probe__DOT__program_address;
    uint64_t bytes = uint64_t{root.engine__DOT__u_probe__DOT__once_bytes} +
                     root.engine__DOT__u_probe__DOT__body_bytes;
    if (Region{first, first + bytes}.words(WordBytes).holds(burst)) return true;
    for (int which : {kWeights, kInput, kOutput, kScratch})
      if (buffer(root, which).words(WordBytes).holds(burst)) return true;
    return false;
  }

  // A response for each access, not before it was taken (A3.3.1), and each is OKAY.
  template <typename Check>
  void registers(const Top &top, Check check) {
    check(!top.ctl_bvalid_o || owes_b_, "B of a register that nobody wrote");
    check(!top.ctl_rvalid_o || owes_r_, "R of a register that nobody read");
    check(!(top.ctl_bvalid_o && top.ctl_bresp_o) && !(top.ctl_rvalid_o && top.ctl_rresp_o),
          "a response of a register that is not OKAY");
    check((top.ctl_awvalid_i && top.ctl_awready_o) == (top.ctl_wvalid_i && top.ctl_wready_o),
          "a register takes an address without its data");
    owes_b_ += (top.ctl_awvalid_i && top.ctl_awready_o) - (top.ctl_bvalid_o && top.ctl_bready_i);
    owes_r_ += (top.ctl_arvalid_i && top.ctl_arready_o) - (top.ctl_rvalid_o && top.ctl_rready_i);
  }
};
