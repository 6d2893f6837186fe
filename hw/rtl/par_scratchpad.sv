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

  input logic       load_valid_i,  // taken at once
  input par_write_t load_i,        // a word, by address

  input  par_addresses_t addresses_i,  // of each kind of parameter
  output par_channels_t  channels_o    // each of its address ReadLatency cycles before
);

  s32_t [OutputLanes-1:0] bias;
  u16_t [OutputLanes-1:0] multiplier;
  u8_t [OutputLanes-1:0] shift;

  always_comb begin
    for (int unsigned k = 0; k < OutputLanes; k++) begin
      bias[k]       = load_i.data[k].bias;
      multiplier[k] = load_i.data[k].multiplier;
      shift[k]      = load_i.data[k].shift;
    end
  end

  ram_sdp #(
    .Width(32 * OutputLanes),
    .Depth(ParGroups)
  ) u_bias (
    .clk_i,
    .write_i        (load_valid_i),
    .write_address_i(load_i.address),
    .write_data_i   (bias),
    .read_address_i (addresses_i.bias),
    .read_data_o    (channels_o.bias)
  );

  ram_sdp #(
    .Width(16 * OutputLanes),
    .Depth(ParGroups)
  ) u_multiplier (
    .clk_i,
    .write_i        (load_valid_i),
    .write_address_i(load_i.address),
    .write_data_i   (multiplier),
    .read_address_i (addresses_i.multiplier),
    .read_data_o    (channels_o.multiplier)
  );

  ram_sdp #(
    .Width(8 * OutputLanes),
    .Depth(ParGroups)
  ) u_shift (
    .clk_i,
    .write_i        (load_valid_i),
    .write_address_i(load_i.address),
    .write_data_i   (shift),
    .read_address_i (addresses_i.shift),
    .read_data_o    (channels_o.shift)
  );

endmodule
