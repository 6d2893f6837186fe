// SPDX-License-Identifier: Apache-2.0
//
// The DRAM side of load and store: one AXI command for each run of an instruction,
//
//   run j:  bytes  base + offset + advance + j*stride  onwards, `bytes` of them
//
// Handshake: the stream contract on instructions and commands. A run every cycle, no cycle between
// instructions; latency: RunCommandsLatency, 3 cycles.
// Errors: a run that begins before byte 0 or ends after byte size - 1 of the buffer, or begins
// within an AXI word where whole_words_i, gives no command and sets error_o, with the index of its
// instruction; then no command follows until reset. Runs before it have been given.
// Relies on 0 < bytes < 2**31, so that a run after one inside the buffer never wraps.

module run_commands
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic    valid_i,        // an item is offered
  output logic    ready_o,        // it is taken
  input  u32_t    offset_i,       // of the first run in the buffer, bytes
  input  u32_t    advance_i,      // added to the offset
  input  s32_t    stride_i,       // bytes from run to run
  input  u16_t    runs_i,         // value - 1
  input  u32_t    bytes_i,        // of each run
  input  logic    whole_words_i,  // an offset within a word is an error
  input  u32_t    index_i,        // of the instruction, for error_index_o
  input  buffer_t buffer_i,       // where, how large

  output logic          cmd_valid_o,  // a command is offered
  input  logic          cmd_ready_i,  // it is taken
  output read_command_t cmd_o,        // a run
  output logic          cmd_last_o,   // of the instruction

  output logic error_o,       // until reset
  output u32_t error_index_o  // of the instruction that has it
);

  // The sum of two offsets takes 33 bits, a run before byte 0 a sign, the end of a run one more.
  typedef logic signed [34:0] wide_t;

  // -- a run --------------------------------------------------------------------------------------

  logic run_q, last_q, whole_words_q;
  wide_t offset_q, stride_q;
  logic [15:0] left_q;  // runs after this one
  logic [31:0] bytes_q, size_q, index_q;
  logic [AddressBits-1:0] base_q;
  logic next_ready;

  assign ready_o = !run_q || (next_ready && last_q);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) run_q <= 1'b0;
    else if (ready_o) run_q <= valid_i;
  end

  always_ff @(posedge clk_i) begin
    if (ready_o) begin
      offset_q      <= wide_t'({3'b0, offset_i}) + wide_t'({3'b0, advance_i});
      stride_q      <= stride_i;
      left_q        <= runs_i;
      last_q        <= runs_i == '0;
      bytes_q       <= bytes_i;
      size_q        <= buffer_i.bytes;
      index_q       <= index_i;
      base_q        <= buffer_i.base;
      whole_words_q <= whole_words_i;
    end else if (next_ready) begin
      offset_q <= offset_q + stride_q;
      left_q   <= left_q - 16'd1;
      last_q   <= left_q == 16'd1;
    end
  end

  // -- its address, and where it ends -------------------------------------------------------------

  logic placed_q, before_q, ends_q, error_q;
  wide_t finish_q;
  logic [31:0] length_q, limit_q, place_q;
  logic [AddressBits-1:0] address_q;
  logic whole_q, room;

  wire bad = before_q || finish_q > wide_t'({3'b0, limit_q})
          || (whole_q && address_q[OffsetBits-1:0] != '0);

  assign next_ready = !placed_q || room;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      placed_q <= 1'b0;
      error_q  <= 1'b0;
    end else begin
      if (next_ready) placed_q <= run_q;
      if (placed_q && bad) error_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (next_ready) begin
      before_q  <= offset_q < 0;
      finish_q  <= offset_q + wide_t'({3'b0, bytes_q});
      address_q <= base_q + AddressBits'(offset_q[31:0]);
      length_q  <= bytes_q;
      limit_q   <= size_q;
      whole_q   <= whole_words_q;
      ends_q    <= last_q;
      place_q   <= index_q;
    end
    if (!error_q) error_index_o <= place_q;
  end

  assign error_o = error_q;

  // -- the command --------------------------------------------------------------------------------

  skid_buffer #(
    .Width($bits(read_command_t) + 1)
  ) u_command (
    .clk_i,
    .rst_ni,
    .valid_i(placed_q && !bad && !error_q),
    .ready_o(room),
    .data_i ({address_q, length_q, ends_q}),
    .valid_o(cmd_valid_o),
    .ready_i(cmd_ready_i),
    .data_o ({cmd_o, cmd_last_o})
  );

endmodule
