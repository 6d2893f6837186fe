// SPDX-License-Identifier: Apache-2.0
//
// All products of `lut_product`, a new one every cycle.

#include <cstdint>

#include "Vlut_product.h"

// products: int16[384][256], of a from -128 and weight from -128 up.
extern "C" void all_products(int16_t *products) {
  constexpr int count = 384 * 256, latency = 2;
  Vlut_product top;
  for (int at = 0; at < count + latency; at++) {
    top.a_i = (at / 256 - 128) & 0x1ff;
    top.weight_i = (at % 256 - 128) & 0xff;
    top.clk_i = 0;
    top.eval();
    if (at >= latency) products[at - latency] = static_cast<int16_t>(top.product_o);
    top.clk_i = 1;
    top.eval();
  }
}
