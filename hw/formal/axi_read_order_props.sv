// SPDX-License-Identifier: Apache-2.0
//
// From end to end of `axi_read_master`: command number which_q, any, gets its words, in order,
// with its offset and tag, and nothing else comes.

module axi_read_order_props #(
  parameter int unsigned WordBytes = 8,
  parameter int unsigned AddressBits = 32,
  parameter int unsigned TagBits = 1,
  parameter int unsigned Outstanding = 8,
  parameter int unsigned MostBytes = 127,  // of a command, so that some end in few steps
  localparam int unsigned OffsetBits = $clog2(WordBytes)
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   flush_i,
  input logic                   idle_o,
  input logic                   cmd_valid_i,
  input logic                   cmd_ready_o,
  input logic [AddressBits-1:0] cmd_address_i,
  input logic [           31:0] cmd_bytes_i,
  input logic [    TagBits-1:0] cmd_tag_i,
  input logic                   beat_valid_o,
  input logic                   beat_ready_i,
  input logic [8*WordBytes-1:0] beat_data_o,
  input logic [ OffsetBits-1:0] beat_offset_o,
  input logic                   beat_last_o,
  input logic                   beat_error_o,
  input logic [    TagBits-1:0] beat_tag_o,
  input logic                   axi_arvalid_o,
  input logic                   axi_arready_i,
  input logic [AddressBits-1:0] axi_araddr_o,
  input logic [            7:0] axi_arlen_o,
  input logic                   axi_rvalid_i,
  input logic                   axi_rready_o,
  input logic [8*WordBytes-1:0] axi_rdata_i,
  input logic [            1:0] axi_rresp_i,
  input logic                   axi_rlast_i
);

  localparam int unsigned LevelBits = $clog2(Outstanding + 1);
  logic [LevelBits-1:0] level;

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  read_memory #(
    .WordBytes  (WordBytes),
    .AddressBits(AddressBits),
    .Outstanding(Outstanding)
  ) u_memory (
    .clk_i,
    .rst_ni,
    .arvalid_i(axi_arvalid_o),
    .arready_i(axi_arready_i),
    .araddr_i (axi_araddr_o),
    .arlen_i  (axi_arlen_o),
    .rvalid_i (axi_rvalid_i),
    .rready_i (axi_rready_o),
    .rdata_i  (axi_rdata_i),
    .rresp_i  (axi_rresp_i),
    .rlast_i  (axi_rlast_i),
    .level_o  (level)
  );

  stream_contract #(
    .Width(8 * WordBytes + OffsetBits + 2 + TagBits)
  ) u_beats (
    .clk_i,
    .rst_ni (rst_ni && !flush_i),
    .valid_i(beat_valid_o),
    .ready_i(beat_ready_i),
    .data_i ({beat_data_o, beat_offset_o, beat_last_o, beat_error_o, beat_tag_o})
  );

  logic [3:0] which_q;  // never reset: any number, and it stays
  logic [3:0] in_q, out_q;  // commands taken, commands whose last beat came
  logic [31:0] beat_q;  // of the command whose beats come
  logic [AddressBits-1:0] address_q;
  logic [31:0] bytes_q;
  logic [TagBits-1:0] tag_q;
  logic flushed_q;  // in the midst of beats

  wire cmd_taken = cmd_valid_i && cmd_ready_o;
  wire beat_taken = beat_valid_o && beat_ready_i;
  wire its_beat = beat_valid_o && out_q == which_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || flush_i) begin
      in_q   <= '0;
      out_q  <= '0;
      beat_q <= '0;
    end else begin
      in_q <= in_q + 4'(cmd_taken);
      if (beat_taken) begin
        out_q  <= out_q + 4'(beat_last_o);
        beat_q <= beat_last_o ? '0 : beat_q + 32'd1;
      end
    end
    if (cmd_taken && in_q == which_q) begin
      address_q <= cmd_address_i;
      bytes_q   <= cmd_bytes_i;
      tag_q     <= cmd_tag_i;
    end
    which_q   <= which_q;
    flushed_q <= rst_ni && (flushed_q || (flush_i && axi_rvalid_i));
  end

  wire [AddressBits-1:0] first_word = address_q / AddressBits'(WordBytes);
  wire [32:0] end_byte = 33'(address_q % AddressBits'(WordBytes)) + 33'(bytes_q);

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    assume (cmd_bytes_i != '0 && cmd_bytes_i <= MostBytes);
    assume (64'(cmd_address_i) + 64'(cmd_bytes_i) < 64'd1 << AddressBits);
    assume (flush_i || !$past(rst_ni && flush_i && !idle_o));
    if (rst_ni) begin
      asked_for:  assert (!beat_valid_o || out_q != in_q);
      its_word:   assert (!its_beat
          || beat_data_o == (8 * WordBytes)'(first_word + AddressBits'(beat_q)));
      its_offset: assert (!its_beat || beat_offset_o == address_q[OffsetBits-1:0]);
      its_tag:    assert (!its_beat || beat_tag_o == tag_q);
      its_error:  assert (!its_beat || beat_error_o == beat_data_o[0]);
      its_end:    assert (!its_beat
          || beat_last_o == (33'(beat_q + 1) * WordBytes >= end_byte));
      second_c:   cover (beat_taken && its_beat && beat_last_o && beat_q == 32'd1
                         && out_q == 4'd1 && beat_offset_o != '0);
      two_bursts_c: cover (beat_taken && its_beat && beat_q == 32'd1 && beat_last_o
                           && 32'(beat_data_o) % 16 == '0);
      flushed_c: cover (beat_taken && its_beat && flushed_q);
    end
  end
  // verilog_format: on

endmodule

bind axi_read_master axi_read_order_props #(
  .WordBytes  (WordBytes),
  .AddressBits(AddressBits),
  .TagBits    (TagBits),
  .Outstanding(Outstanding)
) u_order_props (.*);
