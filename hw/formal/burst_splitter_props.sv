// SPDX-License-Identifier: Apache-2.0
//
// What `burst_splitter` promises: legal bursts that cover each range, no more, in order.

module burst_splitter_props #(
  parameter int unsigned WordBytes   = 8,
  parameter int unsigned AddressBits = 32,
  parameter int unsigned InfoBits    = 1
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   flush_i,
  input logic                   range_valid_i,
  input logic                   range_ready_o,
  input logic [AddressBits-1:0] range_address_i,
  input logic [           31:0] range_beats_i,
  input logic [   InfoBits-1:0] range_info_i,
  input logic                   burst_valid_o,
  input logic                   burst_ready_i,
  input logic [AddressBits-1:0] burst_address_o,
  input logic [            7:0] burst_len_o,
  input logic                   burst_last_o,
  input logic [   InfoBits-1:0] burst_info_o,
  input logic                   last_q,
  input logic [           28:0] more_q,
  input logic [            3:0] first_q,
  input logic [            3:0] end_q
);

  typedef logic [AddressBits-1:0] address_t;

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  // A flush ends an offer as a reset does.
  stream_contract #(
    .Width(AddressBits + 8 + 1 + InfoBits)
  ) u_out (
    .clk_i,
    .rst_ni (rst_ni && !flush_i),
    .valid_i(burst_valid_o),
    .ready_i(burst_ready_i),
    .data_i ({burst_address_o, burst_len_o, burst_last_o, burst_info_o})
  );

  legal_burst #(
    .WordBytes  (WordBytes),
    .AddressBits(AddressBits)
  ) u_legal (
    .clk_i,
    .rst_ni,
    .valid_i  (burst_valid_o),
    .address_i(burst_address_o),
    .len_i    (burst_len_o)
  );

  // What is left of the range.
  logic left_q;
  address_t next_address_q;
  logic [31:0] left_beats_q;
  logic [InfoBits-1:0] left_info_q;

  wire [31:0] length = 32'(burst_len_o) + 32'd1;
  wire taken = burst_valid_o && burst_ready_i;

  always_ff @(posedge clk_i) begin
    if (range_valid_i && range_ready_o) begin
      left_q  <= 1'b1;
      next_address_q  <= range_address_i & ~address_t'(WordBytes - 1);
      left_beats_q <= range_beats_i;
      left_info_q  <= range_info_i;
    end else if (taken) begin
      left_q  <= left_beats_q != length;
      next_address_q  <= next_address_q + address_t'(length * WordBytes);
      left_beats_q <= left_beats_q - length;
    end
    if (!rst_ni || flush_i) left_q <= 1'b0;
  end

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    assume (range_beats_i != '0);
    if (rst_ni) begin
      while_left:    assert (burst_valid_o == left_q);
      begins_there:  assert (!left_q || burst_address_o == next_address_q);
      no_more:       assert (!left_q || length <= left_beats_q);
      last_is_last:  assert (!left_q || burst_last_o == (length == left_beats_q));
      info_goes_along: assert (!left_q || burst_info_o == left_info_q);
      as_long_as_can_be: assert (!left_q || burst_last_o
          || ((burst_address_o / address_t'(WordBytes)) + address_t'(length)) % 16 == '0);
      no_gap:        assert (range_ready_o == (!flush_i && (!left_q || (taken && burst_last_o))));
      // For induction.
      beats_same:    assert (!left_q || (left_beats_q != '0
          && 33'(left_beats_q) == {more_q, end_q} - 33'(first_q) + 33'd1));
      known_ahead:   assert (!left_q || last_q == (more_q == '0));
      short_first_c: cover (taken && length == 32'd3 && !burst_last_o);
      full_c:        cover (taken && length == 32'd16 && !burst_last_o);
      last_c:        cover (taken && length == 32'd2 && burst_last_o && $past(taken));
      page_end_c:    cover (taken && &burst_address_o[11:8] && length == 32'd16 && !burst_last_o);
    end
  end
  // verilog_format: on

endmodule

bind burst_splitter burst_splitter_props #(
  .WordBytes  (WordBytes),
  .AddressBits(AddressBits),
  .InfoBits   (InfoBits)
) u_props (.*);
