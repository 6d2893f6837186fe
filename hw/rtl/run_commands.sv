// SPDX-License-Identifier: Apache-2.0
//
// The DRAM side of load and store: one AXI command for each run of an instruction,
//
//   run j:  bytes  base + offset + advance + j*stride  onwards, `bytes` of them
//
// Handshake: the stream contract on instructions and commands. A run every cycle, no cycle between
// instructions; latency: 2 cycles.
// Errors: a run that begins before byte 0 or ends after byte size - 1 of the buffer, or begins
// within an AXI word where whole_words_i, gives no command and sets error_o; then nothing follows
// until reset. Runs before it have been given.
// Relies on 0 < bytes < 2**31, so that a run after one inside the buffer never wraps.

module run_commands #(
  parameter int unsigned WordBytes   = 8,  // C
  parameter int unsigned AddressBits = 32
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic                   valid_i,
  output logic                   ready_o,
  input  logic [31:0]            offset_i,
  input  logic [31:0]            advance_i,     // added to the offset
  input  logic signed [31:0]     stride_i,
  input  logic [15:0]            runs_i,        // value - 1
  input  logic [31:0]            bytes_i,
  input  logic                   whole_words_i,
  input  logic [AddressBits-1:0] base_i,        // of the buffer
  input  logic [31:0]            size_i,        // of the buffer, bytes

  output logic                   cmd_valid_o,
  input  logic                   cmd_ready_i,
  output logic [AddressBits-1:0] cmd_address_o,
  output logic [31:0]            cmd_bytes_o,
  output logic                   cmd_last_o,    // of the instruction

  output logic                   error_o
);

  localparam int unsigned OffsetBits = $clog2(WordBytes);
  // The sum of two offsets takes 33 bits, a run before byte 0 a sign, the end of a run one more.
  typedef logic signed [34:0] offset_t;

  logic                   busy_q, whole_words_q, error_q;
  offset_t                offset_q;
  logic signed [31:0]     stride_q;
  logic [15:0]            runs_q;
  logic [31:0]            bytes_q, size_q;
  logic [AddressBits-1:0] base_q;

  wire [AddressBits-1:0] address = base_q + AddressBits'(offset_q[31:0]);
  wire offset_t          finish  = offset_q + offset_t'({3'b0, bytes_q});
  wire outside   = offset_q < 0 || finish > offset_t'({3'b0, size_q});
  wire unaligned = whole_words_q && address[OffsetBits-1:0] != '0;
  wire bad       = outside || unaligned;
  wire last      = runs_q == '0;
  wire step      = busy_q && !bad && (!cmd_valid_o || cmd_ready_i);

  assign ready_o = !busy_q || (step && last);
  assign error_o = error_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      busy_q      <= 1'b0;
      cmd_valid_o <= 1'b0;
      error_q     <= 1'b0;
    end else begin
      if (ready_o) busy_q <= valid_i;
      if (!cmd_valid_o || cmd_ready_i) cmd_valid_o <= step;
      if (busy_q && bad) error_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (ready_o) begin
      offset_q      <= offset_t'({3'b0, offset_i}) + offset_t'({3'b0, advance_i});
      stride_q      <= stride_i;
      runs_q        <= runs_i;
      bytes_q       <= bytes_i;
      size_q        <= size_i;
      base_q        <= base_i;
      whole_words_q <= whole_words_i;
    end else if (step) begin
      offset_q <= offset_q + offset_t'(stride_q);
      runs_q   <= runs_q - 16'd1;
    end
    if (step) begin
      cmd_address_o <= address;
      cmd_bytes_o   <= bytes_q;
      cmd_last_o    <= last;
    end
  end

endmodule
