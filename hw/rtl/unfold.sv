// SPDX-License-Identifier: Apache-2.0
//
// Raw image rows to words of act: for each output column the bytes under the kernel row, the newest
// in byte 0. Pixels run through a shift register of UnfoldBytes; when the last pixel of a column
// has come, the bytes move on to a second register, whose words are given out one by one.
//
//   pad_left zeros, row pixels, zeros        kernel_w pixels complete the first column,
//   --> | newest ... oldest |                stride_x more each further one
//             | all bytes, behind a column's last pixel
//             v
//       | column | --> word_o, the lowest first
//
// What is left of a row behind its last column is dropped. Bytes behind the kernel row are older
// ones of the same row, or 0.
//
// Handshake: start_i, one cycle when idle_o, takes the instruction's fields, which hold until the
// last word has gone; the stream contract on beats (a row ends with its beat's last) and on words.
// One pixel per cycle, or one word if that takes longer; no cycle between rows but for what is
// dropped, and for the first word of a row if no zeros come before it. Latency: 3 cycles from the
// beat that ends a column to its first word. Beats do not wait for words: two pixels may wait in
// `byte_window`, one before the shift register.

module unfold
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic  start_i,  // one cycle, when idle_o
  output logic  idle_o,   // the last column has come: another instruction may start
  input  load_t instr_i,  // holds until the last word has gone

  input  logic       beat_valid_i,  // a beat is offered
  output logic       beat_ready_o,  // it is taken
  input  read_beat_t beat_i,        // rows, each a command

  output logic  word_valid_o,  // a word is offered
  input  logic  word_ready_i,  // it is taken
  output word_t word_o         // C bytes under the kernel row
);

  localparam int unsigned HeldBits = 8 * UnfoldBytes;
  localparam int unsigned IndexBits = $clog2(HeldBits / WordBits);

  typedef enum logic [1:0] {
    Idle,
    Row,   // pixels are coming
    Drop   // the rest of the row
  } state_e;

  // -- Pixels -----------------------------------------------------------------------------------

  state_e state_q, state_d;
  logic [11:0] columns_q;  // left in this row
  logic [4:0] until_q;  // pixels until the next column is complete
  logic [3:0] pad_q;  // zeros left before the row

  // A pixel, or zeros of the padding, on its way into the shift register.
  typedef struct packed {
    logic        fresh;  // the first of its row
    logic [31:0] bytes;  // newest first
  } item_t;

  logic pixel_valid, pixel_last, pixel_final;
  logic [31:0] pixel, newest_first;
  logic waits_q;  // an item waits for room for the words of its column
  item_t item_q, item;

  // Of the next pixel: it is the first of the row; it comes from the row, not from the padding; a
  // column is complete with it, the last one of the row.
  logic fresh_q, from_row_q, completes_q, last_column_q, completes_row_q;
  logic over_q, final_q;  // all pixels of the row have come; it is the last row, once one has

  wire push = state_q == Row && (pixel_valid || !from_row_q) && !waits_q;
  wire complete = push && completes_row_q;
  wire restart = state_q != Row || complete;  // what follows is the first of a row
  wire completes_d = completes_q ? instr_i.stride_x == 4'd1 : until_q == 5'd2;
  wire last_column_d = completes_q ? columns_q == 12'd2 : last_column_q;

  wire pops = from_row_q || state_q == Drop;
  wire over = over_q || (pops && pixel_valid && pixel_last);
  wire is_final = pops ? pixel_final : final_q;

  byte_window u_window (
    .clk_i,
    .rst_ni,
    .start_i,
    .rows_i       (instr_i.runs),
    .row_pixels_i (instr_i.row_pixels),
    .pixel_bytes_i(instr_i.pixel_bytes),
    .drop_i       (state_q == Drop),
    .beat_valid_i,
    .beat_ready_o,
    .beat_i,
    .pixel_valid_o(pixel_valid),
    .pixel_ready_i((push && from_row_q) || state_q == Drop),
    .pixel_o      (pixel),
    .pixel_last_o (pixel_last),
    .pixel_final_o(pixel_final)
  );

  always_comb begin
    unique case (instr_i.pixel_bytes[1:0])  // of 1 to 4
      2'd1:    newest_first = {24'b0, pixel[7:0]};
      2'd2:    newest_first = {16'b0, pixel[7:0], pixel[15:8]};
      2'd3:    newest_first = {8'b0, pixel[7:0], pixel[15:8], pixel[23:16]};
      default: newest_first = {pixel[7:0], pixel[15:8], pixel[23:16], pixel[31:24]};
    endcase
  end

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Idle:    if (start_i) state_d = Row;
      Row:     if (complete) state_d = !over ? Drop : is_final ? Idle : Row;
      Drop:    if (over) state_d = is_final ? Idle : Row;
      default: state_d = Idle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Idle;
    end else begin
      state_q <= state_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (restart) begin
      columns_q       <= instr_i.columns;
      until_q         <= instr_i.kernel_w;
      pad_q           <= instr_i.pad_left;
      fresh_q         <= 1'b1;
      from_row_q      <= instr_i.pad_left == '0;
      completes_q     <= instr_i.kernel_w == 5'd1;
      last_column_q   <= instr_i.columns == 12'd1;
      completes_row_q <= instr_i.kernel_w == 5'd1 && instr_i.columns == 12'd1;
      over_q          <= 1'b0;
    end else if (push) begin
      columns_q       <= columns_q - 12'(completes_q);
      until_q         <= completes_q ? 5'(instr_i.stride_x) : until_q - 5'd1;
      if (pad_q != '0) pad_q <= pad_q - 4'd1;
      fresh_q         <= 1'b0;
      from_row_q      <= pad_q <= 4'd1 && !over;
      completes_q     <= completes_d;
      last_column_q   <= last_column_d;
      completes_row_q <= completes_d && last_column_d;
      over_q          <= over;
    end
    if (push && from_row_q) final_q <= pixel_final;
  end

  // -- Columns ----------------------------------------------------------------------------------

  logic [HeldBits-1:0] shift_q, shifted, column_q;
  logic [4:0] words_q;  // left in the column register
  logic single_q;  // one is
  logic [IndexBits-1:0] index_q;  // of the word that is given out

  // A pixel that completes a column waits here for room, and the next pixel waits for it; so what
  // counts pixels hangs on a register alone.
  assign item = waits_q ? item_q : {fresh_q, from_row_q ? newest_first : '0};
  wire completes = waits_q || completes_q;
  wire room = !word_valid_o || (single_q && word_ready_i);
  wire shift = (push || waits_q) && (room || !completes);
  wire fill = (push || waits_q) && room && completes;

  always_comb begin
    unique case (instr_i.pixel_bytes[1:0])
      2'd1:    shifted = shift_q << 8;
      2'd2:    shifted = shift_q << 16;
      2'd3:    shifted = shift_q << 24;
      default: shifted = shift_q << 32;
    endcase
    shifted[31:0] = (item.fresh ? '0 : shifted[31:0]) | item.bytes;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      waits_q      <= 1'b0;
      word_valid_o <= 1'b0;
    end else begin
      waits_q      <= (push || waits_q) && !shift;
      word_valid_o <= fill || (word_valid_o && !(single_q && word_ready_i));
    end
  end

  always_ff @(posedge clk_i) begin
    if (!waits_q) item_q <= item;
    if (shift) shift_q <= shifted;
    if (fill) column_q <= shifted;
    // What the row before has left is not shifted into this one; its columns have been copied.
    if (item.fresh) shift_q[HeldBits-1:32] <= '0;
    if (item.fresh && room) column_q[HeldBits-1:32] <= '0;

    if (fill) begin
      words_q  <= instr_i.column_words;
      single_q <= instr_i.column_words == 5'd1;
      index_q  <= '0;
    end else if (word_ready_i) begin
      words_q  <= words_q - 5'd1;
      single_q <= words_q == 5'd2;
      index_q  <= index_q + IndexBits'(1);
    end
  end

  assign idle_o = state_q == Idle;
  assign word_o = column_q[WordBits*index_q +: WordBits];

endmodule
