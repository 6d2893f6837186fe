// SPDX-License-Identifier: Apache-2.0
//
// Parameters: a word has bias, multiplier and shift of K channels. Requantizing needs them one
// after the other, so each lies in a memory of its own, with an address of its own.
//
// Handshake: none, all ports take a word in every cycle. Latency: ReadLatency.

module par_scratchpad
  import cnnaccel_pkg::*;
(
  input logic clk_i,

  input logic                           load_valid_i,
  input par_address_t                   load_address_i,
  input par_t         [OutputLanes-1:0] load_data_i,

  input  par_address_t                   bias_address_i,
  output s32_t         [OutputLanes-1:0] bias_o,
  input  par_address_t                   multiplier_address_i,
  output u16_t         [OutputLanes-1:0] multiplier_o,
  input  par_address_t                   shift_address_i,
  output u8_t          [OutputLanes-1:0] shift_o
);

  s32_t [OutputLanes-1:0] bias;
  u16_t [OutputLanes-1:0] multiplier;
  u8_t [OutputLanes-1:0] shift;

  always_comb begin
    for (int unsigned k = 0; k < OutputLanes; k++) begin
      bias[k]       = load_data_i[k].bias;
      multiplier[k] = load_data_i[k].multiplier;
      shift[k]      = load_data_i[k].shift;
    end
  end

  ram_sdp #(
    .Width(32 * OutputLanes),
    .Depth(ParGroups)
  ) u_bias (
    .clk_i,
    .write_i        (load_valid_i),
    .write_address_i(load_address_i),
    .write_data_i   (bias),
    .read_address_i (bias_address_i),
    .read_data_o    (bias_o)
  );

  ram_sdp #(
    .Width(16 * OutputLanes),
    .Depth(ParGroups)
  ) u_multiplier (
    .clk_i,
    .write_i        (load_valid_i),
    .write_address_i(load_address_i),
    .write_data_i   (multiplier),
    .read_address_i (multiplier_address_i),
    .read_data_o    (multiplier_o)
  );

  ram_sdp #(
    .Width(8 * OutputLanes),
    .Depth(ParGroups)
  ) u_shift (
    .clk_i,
    .write_i        (load_valid_i),
    .write_address_i(load_address_i),
    .write_data_i   (shift),
    .read_address_i (shift_address_i),
    .read_data_o    (shift_o)
  );

endmodule
