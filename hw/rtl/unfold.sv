// SPDX-License-Identifier: Apache-2.0
//
// Raw image rows to words of act: for each output column the bytes under the kernel row, the newest
// in byte 0. Pixels run through a shift register of UnfoldBytes; when the last pixel of a column
// has come, the bytes move to a second one, which gives them out a word at a time.
//
//   pad_left zeros, row pixels, zeros        kernel_w pixels complete the first column,
//   --> | newest ... oldest |                stride_x more each further one
//             | all bytes, at a column's end
//             v
//       | column, lowest word out first | --> word_o
//
// What is left of a row behind its last column is dropped. Bytes behind the kernel row are older
// ones of the same row, or 0.
//
// Handshake: start_i, one cycle when idle_o, takes the instruction's fields, which hold until the
// last word has gone; the stream contract on beats (a row ends with beat_last_i) and on words.
// One pixel per cycle, or one word if that takes longer; no cycle between rows but for what is
// dropped, and for the first word of a row if no zeros come before it.

module unfold
  import cnnaccel_pkg::*;
#(
  localparam int unsigned OffsetBits = $clog2(InputLanes)
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,

  input  logic                    start_i,
  output logic                    idle_o,
  input  logic [15:0]             runs_i,          // rows, value - 1
  input  logic [2:0]              pixel_bytes_i,
  input  logic [11:0]             row_pixels_i,
  input  logic [11:0]             columns_i,
  input  logic [4:0]              kernel_w_i,
  input  logic [3:0]              stride_x_i,
  input  logic [3:0]              pad_left_i,
  input  logic [4:0]              column_words_i,

  input  logic                    beat_valid_i,
  output logic                    beat_ready_o,
  input  logic [WordBits-1:0]     beat_data_i,
  input  logic [OffsetBits-1:0]   beat_offset_i,
  input  logic                    beat_last_i,

  output logic                    word_valid_o,
  input  logic                    word_ready_i,
  output logic [WordBits-1:0]     word_o
);

  localparam int unsigned HeldBits = 8 * UnfoldBytes;

  typedef enum logic [1:0] {
    Idle,
    Row,  // pixels are coming
    Drop  // the rest of the row
  } state_e;

  state_e          state_q, state_d;
  logic [15:0]     rows_q;     // left, value - 1
  logic [11:0]     columns_q;  // left in this row
  logic [4:0]      until_q;    // pixels until the next column is complete
  logic [3:0]      pad_q;      // zeros left before the row
  logic [11:0]     pixels_q;   // left in the row
  logic [4:0]      words_q;    // left in the column register
  logic [HeldBits-1:0] shift_q, shift_d, column_q;

  logic        row_done, pixel_valid;
  logic [31:0] pixel, newest_first;

  // Of the next pixel: it comes from the row, not from the padding; a column is complete with it.
  logic from_row_q, completes_q;
  logic last_column_q, last_row_q;
  wire room      = words_q == '0 || (words_q == 5'd1 && word_ready_i);
  wire push      = state_q == Row && (pixel_valid || !from_row_q) && (room || !completes_q);
  wire complete  = push && completes_q && last_column_q;  // all columns of the row
  wire row_ends  = row_done && (complete || state_q == Drop);
  wire row_start = state_q == Idle ? start_i : row_ends && !last_row_q;

  byte_window #(.WordBytes(InputLanes)) u_window (
    .clk_i, .rst_ni, .pixel_bytes_i,
    .row_start_i(row_start), .row_done_o(row_done), .drop_i(state_q == Drop),
    .beat_valid_i, .beat_ready_o, .beat_data_i, .beat_offset_i, .beat_last_i,
    .pixel_valid_o(pixel_valid), .pixel_next_i(push && from_row_q), .pixel_o(pixel)
  );

  always_comb begin
    unique case (pixel_bytes_i)
      3'd1: newest_first = {24'b0, pixel[7:0]};
      3'd2: newest_first = {16'b0, pixel[7:0], pixel[15:8]};
      3'd3: newest_first = {8'b0, pixel[7:0], pixel[15:8], pixel[23:16]};
      default: newest_first = {pixel[7:0], pixel[15:8], pixel[23:16], pixel[31:24]};
    endcase
    unique case (pixel_bytes_i)
      3'd1: shift_d = shift_q << 8;
      3'd2: shift_d = shift_q << 16;
      3'd3: shift_d = shift_q << 24;
      default: shift_d = shift_q << 32;
    endcase
    if (from_row_q) shift_d[31:0] = shift_d[31:0] | newest_first;
  end

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Idle:    state_d = Idle;
      Row:     if (row_ends) state_d = Idle;
               else if (complete) state_d = Drop;
      Drop:    if (row_ends) state_d = Idle;
      default: state_d = Idle;
    endcase
    if (row_start) state_d = Row;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Idle;
      words_q <= '0;
    end else begin
      state_q <= state_d;
      if (push && completes_q) words_q <= column_words_i;
      else if (word_valid_o && word_ready_i) words_q <= words_q - 5'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      rows_q     <= runs_i;
      last_row_q <= runs_i == '0;
    end else if (row_ends) begin
      rows_q     <= rows_q - 16'd1;
      last_row_q <= rows_q == 16'd1;
    end

    if (row_start) begin
      columns_q     <= columns_i;
      until_q       <= kernel_w_i;
      pad_q         <= pad_left_i;
      pixels_q      <= row_pixels_i;
      shift_q       <= '0;
      from_row_q    <= pad_left_i == '0 && row_pixels_i != '0;
      completes_q   <= kernel_w_i == 5'd1;
      last_column_q <= columns_i == 12'd1;
    end else if (push) begin
      columns_q     <= columns_q - 12'(completes_q);
      until_q       <= completes_q ? 5'(stride_x_i) : until_q - 5'd1;
      if (pad_q != '0) pad_q <= pad_q - 4'd1;
      if (from_row_q) pixels_q <= pixels_q - 12'd1;
      shift_q       <= shift_d;
      from_row_q    <= pad_q <= 4'd1 && (from_row_q ? pixels_q != 12'd1 : pixels_q != '0);
      completes_q   <= completes_q ? stride_x_i == 4'd1 : until_q == 5'd2;
      if (completes_q) last_column_q <= columns_q == 12'd2;
    end

    if (push && completes_q) column_q <= shift_d;
    else if (word_ready_i) column_q <= column_q >> WordBits;
  end

  assign idle_o       = state_q == Idle;
  assign word_valid_o = words_q != '0;
  assign word_o       = column_q[WordBits-1:0];

endmodule
