// SPDX-License-Identifier: Apache-2.0
//
// Takes pixels of 1 to 4 bytes out of rows of AXI words; a pixel may lie across two of them.
//
//   held word       next word
//   . . . p p | p . . . .       position_q = 3, pixel_bytes_i = 3
//
// A row is the beats up to one with beat_last_i; its first byte is byte beat_offset_i of the first.
//
// Handshake: the stream contract on beats; the pixel is there when pixel_valid_o and goes when
// pixel_next_i (only then). drop_i, instead of taking pixels, throws away what is left of the row;
// row_done_o: nothing is left. row_start_i, one cycle when row_done_o, begins the next. A pixel
// every cycle, but one cycle for the first word of a row.
// Relies on the row holding the pixels that are taken, and on pixel_bytes_i holding meanwhile.

module byte_window #(
  parameter int unsigned WordBytes = 8,  // C, a power of two from 4 up
  localparam int unsigned OffsetBits = $clog2(WordBytes)
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic [2:0]             pixel_bytes_i,
  input  logic                   row_start_i,
  output logic                   row_done_o,
  input  logic                   drop_i,

  input  logic                   beat_valid_i,
  output logic                   beat_ready_o,
  input  logic [8*WordBytes-1:0] beat_data_i,
  input  logic [OffsetBits-1:0]  beat_offset_i,
  input  logic                   beat_last_i,

  output logic                   pixel_valid_o,
  input  logic                   pixel_next_i,
  output logic [31:0]            pixel_o         // first byte lowest; above the last anything
);

  logic                   open_q;   // the last beat of the row is still to come
  logic                   first_q;  // so is the first
  logic                   held_q;
  logic [OffsetBits-1:0]  position_q;
  logic [8*WordBytes-1:0] word_q;

  logic [OffsetBits:0] behind_q;  // position_q + pixel_bytes_i

  wire                ends    = behind_q[OffsetBits];  // the pixel takes the last byte held
  wire                crosses = ends && behind_q[OffsetBits-1:0] != '0;
  wire                taken   = beat_valid_i && beat_ready_o;

  wire [16*WordBytes-1:0] both = {beat_data_i, word_q};

  assign pixel_o       = both[8*position_q +: 32];
  assign pixel_valid_o = held_q && (!crosses || (beat_valid_i && open_q));
  assign beat_ready_o  = open_q && (!held_q || drop_i || (pixel_next_i && ends));
  assign row_done_o    = !open_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      open_q <= 1'b0;
      held_q <= 1'b0;
    end else if (row_start_i) begin
      open_q <= 1'b1;
      held_q <= 1'b0;
    end else begin
      if (taken && beat_last_i) open_q <= 1'b0;
      if (taken) held_q <= 1'b1;
      else if (pixel_next_i && ends) held_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    first_q <= (first_q && !taken) || row_start_i;
    if (taken) word_q <= beat_data_i;
    if (taken && first_q) begin
      position_q <= beat_offset_i;
      behind_q   <= {1'b0, beat_offset_i} + (OffsetBits + 1)'(pixel_bytes_i);
    end else if (pixel_next_i) begin
      position_q <= behind_q[OffsetBits-1:0];
      behind_q   <= {1'b0, behind_q[OffsetBits-1:0]} + (OffsetBits + 1)'(pixel_bytes_i);
    end
  end

endmodule
