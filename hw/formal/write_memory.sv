// SPDX-License-Identifier: Apache-2.0
//
// A memory that answers writes of one ID. When it takes an address or a word is free: words may come
// before their address is taken, but not before it is offered, as an offer stays. A response comes
// after the address and the last word of its burst were taken (IHI0022, A3.3.1), in order.

module write_memory #(
  parameter  int unsigned AddressBits = 32,
  parameter  int unsigned Outstanding = 8,
  localparam int unsigned LevelBits   = $clog2(Outstanding + 1)
) (
  input logic clk_i,
  input logic rst_ni,
  input logic awvalid_i,
  input logic awready_i,
  input logic [AddressBits-1:0] awaddr_i,
  input logic [7:0] awlen_i,
  input logic wvalid_i,
  input logic wready_i,
  input logic wlast_i,
  input logic bvalid_i,
  output logic offered_o,  // a burst is offered first, which level_o has next
  output logic waits_o,  // the newest burst of level_o and owed_o lacks its AW
  output logic [LevelBits-1:0] level_o,  // bursts that were offered and lack words
  output logic [LevelBits-1:0] owed_o,  // bursts that have their words and lack a response
  output logic may_answer_o,
  output logic [7:0] beat_o,  // the number of the word that comes next
  output logic [AddressBits-1:0] address_o[Outstanding],  // of bursts that lack words
  output logic [7:0] len_o[Outstanding]
);

  assign offered_o    = awvalid_i && !waits_o;
  assign may_answer_o = owed_o != '0 && 32'(level_o) + 32'(owed_o) > 32'(waits_o);

  burst_queue #(
    .Depth      (Outstanding),
    .AddressBits(AddressBits)
  ) u_queue (
    .clk_i,
    .rst_ni,
    .burst_i  (offered_o),
    .address_i(awaddr_i),
    .len_i    (awlen_i),
    .beat_i   (wvalid_i && wready_i),
    .level_o,
    .beat_o,
    .address_o,
    .len_o
  );

  always_ff @(posedge clk_i) begin
    waits_o <= rst_ni && awvalid_i && !awready_i;
    if (!rst_ni) owed_o <= '0;
    else owed_o <= owed_o + LevelBits'(wvalid_i && wready_i && wlast_i) - LevelBits'(bvalid_i);
  end

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    assume (!bvalid_i || may_answer_o);
    if (rst_ni) begin
      // For induction.
      waits_is_held: assert (!waits_o || (awvalid_i && 32'(level_o) + 32'(owed_o) != '0));
      early_words_c: cover (waits_o && level_o == '0);
      early_burst_c: cover (bvalid_i && waits_o);
    end
  end
  // verilog_format: on

endmodule
