// SPDX-License-Identifier: Apache-2.0
//
// Takes pixels of 1 to 4 bytes out of rows of AXI words; a pixel may lie across two of them.
//
//   held word       next word
//   . . . p p | p . . . .       position_q = 3, pixel_bytes_i = 3
//
// A row is the beats up to one that is its last; its first byte is byte `offset` of the first.
// Pixels wait in a `skid_buffer`, so that a beat does not wait for what becomes of a pixel: rows
// follow each other without being asked for.
//
// Handshake: start_i, one cycle when all rows have been taken, takes rows_i and row_pixels_i; the
// stream contract on beats and pixels. A pixel every cycle, but one cycle for the first word of a
// row. Latency: 2 cycles from a row's first beat. drop_i: whoever takes the pixels, one each cycle,
// wants no more of this row; what is left of it goes by the beat, and its last pixel, which may be
// any bytes, comes all the same.
// Relies on a row having the bytes of its pixels, and on pixel_bytes_i and row_pixels_i holding.

module byte_window
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic start_i,        // one cycle
  input u16_t rows_i,         // value - 1
  input u12_t row_pixels_i,   // from 1 up
  input u3_t  pixel_bytes_i,  // from 1 up to 4
  input logic drop_i,         // the rest of this row is not wanted

  input  logic       beat_valid_i,  // a beat is offered
  output logic       beat_ready_o,  // it is taken
  input  read_beat_t beat_i,        // a word of the row

  output logic        pixel_valid_o,  // a pixel is offered
  input  logic        pixel_ready_i,  // it is taken
  output logic [31:0] pixel_o,        // first byte lowest; above the last anything
  output logic        pixel_last_o,   // of its row
  output logic        pixel_final_o   // its row is the last
);

  logic open_q;  // the last beat of the row is still to come
  logic first_q;  // so is the first
  logic held_q;
  logic [OffsetBits-1:0] position_q;
  logic [WordBits-1:0] word_q;
  logic [15:0] rows_q;  // left, value - 1
  logic final_q;  // none is
  logic [11:0] pixels_q;  // left in the row
  logic last_q;  // one is
  logic crosses_q;  // the next pixel ends in the next word
  logic [OffsetBits:0] behind_q;  // position_q + pixel_bytes_i
  logic [OffsetBits:0] behind_d;

  logic room, pixel_valid;
  wire ends = behind_q[OffsetBits];  // the pixel takes the last byte held
  wire skip = drop_i && !pixel_valid_o;
  wire given = pixel_valid && room;
  wire taken = beat_valid_i && beat_ready_o;
  wire row_ends = given && (last_q || drop_i);

  wire [2*WordBits-1:0] both = {beat_i.data, word_q};

  // While pixels are dropped, none is given but the last, once those given before have gone.
  assign pixel_valid  = held_q && (drop_i ? skip && !open_q : !crosses_q || beat_valid_i);
  assign beat_ready_o = open_q && (!held_q || (drop_i ? skip : room && ends));
  assign behind_d     = {1'b0, first_q ? beat_i.offset : behind_q[OffsetBits-1:0]}
                      + (OffsetBits + 1)'(pixel_bytes_i);

  skid_buffer #(
    .Width(34)
  ) u_pixels (
    .clk_i,
    .rst_ni,
    .valid_i(pixel_valid),
    .ready_o(room),
    .data_i ({final_q, last_q || drop_i, both[8*position_q+:32]}),
    .valid_o(pixel_valid_o),
    .ready_i(pixel_ready_i),
    .data_o ({pixel_final_o, pixel_last_o, pixel_o})
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      open_q <= 1'b0;
      held_q <= 1'b0;
    end else if (start_i || row_ends) begin
      open_q <= start_i || !final_q;
      held_q <= 1'b0;
    end else begin
      if (taken && beat_i.last) open_q <= 1'b0;
      if (taken) held_q <= 1'b1;
      else if (given && ends) held_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      rows_q  <= rows_i;
      final_q <= rows_i == '0;
    end else if (row_ends) begin
      rows_q  <= rows_q - 16'd1;
      final_q <= rows_q == 16'd1;
    end

    if (start_i || row_ends) begin
      pixels_q <= row_pixels_i;
      last_q   <= row_pixels_i == 12'd1;
    end else if (given) begin
      pixels_q <= pixels_q - 12'd1;
      last_q   <= pixels_q == 12'd2;
    end

    first_q <= (first_q && !taken) || start_i || row_ends;
    if (taken) word_q <= beat_i.data;
    if ((taken && first_q) || given) begin
      position_q <= first_q ? beat_i.offset : behind_q[OffsetBits-1:0];
      behind_q   <= behind_d;
      crosses_q  <= behind_d[OffsetBits] && behind_d[OffsetBits-1:0] != '0;
    end
  end

endmodule
