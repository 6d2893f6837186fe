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
  output word_t compute_data_o[PixelLanes],  // by bank, of the rows ReadLatency cycles before

  input logic        drain_valid_i,  // never refused
  input bank_write_t drain_i,        // a word

  input  logic       load_valid_i,  // a write is offered
  output logic       load_ready_o,  // it is done in this cycle
  input  act_write_t load_i,        // a word, by address

  input  logic       store_valid_i,       // a read is offered
  output logic       store_ready_o,       // it is done in this cycle
  input  act_place_t store_i,             // of which word
  output logic       store_data_valid_o,  // ReadLatency cycles after a request is done
  output word_t      store_data_o         // the word of the read
);

  bank_t load_bank, store_bank;
  row_t load_row, store_row;

  assign load_bank  = bank_of(load_i.place.address, load_i.place.log2_l);
  assign load_row   = row_of(load_i.place.address, load_i.place.log2_l);
  assign store_bank = bank_of(store_i.address, store_i.log2_l);
  assign store_row  = row_of(store_i.address, store_i.log2_l);

  assign load_ready_o  = !(drain_valid_i && drain_i.bank == load_bank);
  assign store_ready_o = !(drain_valid_i && drain_i.bank == store_bank)
                      && !(load_valid_i && load_bank == store_bank);

  word_t store_data[PixelLanes];

  for (genvar b = 0; b < PixelLanes; b++) begin : gen_bank
    logic drains, loads;
    assign drains = drain_valid_i && drain_i.bank == bank_t'(b);
    assign loads  = load_valid_i && load_bank == bank_t'(b);

    ram_tdp #(
      .Width(WordBits),
      .Depth(ActWords / PixelLanes)
    ) u_ram (
      .clk_i,
      .a_address_i(compute_row_i[b]),
      .a_data_o   (compute_data_o[b]),
      .b_write_i  (drains || loads),
      .b_address_i(drains ? drain_i.row : loads ? load_row : store_row),
      .b_data_i   (drains ? drain_i.data : load_i.data),
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
