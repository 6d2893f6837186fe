// SPDX-License-Identifier: Apache-2.0
//
// Activations: words of C bytes in P banks (`cnnaccel_pkg` says which word lies where).
//
//   port A of every bank   compute reads P words, one of each bank
//   port B of every bank   drain writes, else load writes, else store reads
//
// Drain, load and store take one word each per cycle, all three at once if they want different
// banks.
//
// Handshake: drain is never refused. A load or store request is done in the cycle in which its
// valid and ready are high; ready depends on the banks that are asked for. Latency: data of a read
// in cycle t are there in cycle t + ReadLatency, those of store with store_data_valid_o.

module act_scratchpad
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  row_t  compute_row_i [PixelLanes],  // by bank
  output word_t compute_data_o[PixelLanes],

  input logic  drain_valid_i,
  input bank_t drain_bank_i,
  input row_t  drain_row_i,
  input word_t drain_data_i,

  input  logic         load_valid_i,
  output logic         load_ready_o,
  input  act_address_t load_address_i,
  input  u2_t          load_log2_l_i,
  input  word_t        load_data_i,

  input  logic         store_valid_i,
  output logic         store_ready_o,
  input  act_address_t store_address_i,
  input  u2_t          store_log2_l_i,
  output logic         store_data_valid_o,
  output word_t        store_data_o
);

  bank_t load_bank, store_bank;
  row_t load_row, store_row;

  assign load_bank  = bank_of(load_address_i, load_log2_l_i);
  assign load_row   = row_of(load_address_i, load_log2_l_i);
  assign store_bank = bank_of(store_address_i, store_log2_l_i);
  assign store_row  = row_of(store_address_i, store_log2_l_i);

  assign load_ready_o  = !(drain_valid_i && drain_bank_i == load_bank);
  assign store_ready_o = !(drain_valid_i && drain_bank_i == store_bank)
                      && !(load_valid_i && load_bank == store_bank);

  word_t store_data[PixelLanes];

  for (genvar b = 0; b < PixelLanes; b++) begin : gen_bank
    logic drains, loads;
    assign drains = drain_valid_i && drain_bank_i == bank_t'(b);
    assign loads  = load_valid_i && load_bank == bank_t'(b);

    ram_tdp #(
      .Width(WordBits),
      .Depth(ActWords / PixelLanes)
    ) u_ram (
      .clk_i,
      .a_address_i(compute_row_i[b]),
      .a_data_o   (compute_data_o[b]),
      .b_write_i  (drains || loads),
      .b_address_i(drains ? drain_row_i : loads ? load_row : store_row),
      .b_data_i   (drains ? drain_data_i : load_data_i),
      .b_data_o   (store_data[b])
    );
  end

  logic [ReadLatency-1:0] reading_q;
  bank_t bank_q[ReadLatency];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) reading_q <= '0;
    else reading_q <= {reading_q[ReadLatency-2:0], store_valid_i && store_ready_o};
  end

  always_ff @(posedge clk_i) begin
    bank_q[0] <= store_bank;
    for (int unsigned i = 1; i < ReadLatency; i++) bank_q[i] <= bank_q[i-1];
  end

  assign store_data_valid_o = reading_q[ReadLatency-1];
  assign store_data_o       = store_data[bank_q[ReadLatency-1]];

endmodule
