// SPDX-License-Identifier: Apache-2.0
//
// Cuts a range of AXI words into INCR bursts:
//
//   words   ... 13 14 15 | 16 17 ... 31 | 32 33 ...      bursts end where the word address is a
//   bursts     [ 3 beats][  16 beats   ][ ...            multiple of 16, or where the range ends
//
// With words of at most 16 bytes no burst has more than 16 beats or crosses 4 KiB.
//
// Only the first burst begins inside a block of 16 words, at word `first`. So one sum says all that
// a range will need, and whether a burst is the last is a register, known a burst ahead:
//
//   first + beats - 1 = 16 * (bursts behind the first) + (last word within its block)
//
//   words 13 ... 33:  13 + 21 - 1 = 16 * 2 + 1       three bursts, the last ends with word 1
//
// Handshake: the stream contract on both sides. One burst per cycle, and no cycle between two
// ranges; latency: 1 cycle. Relies on beats_i > 0.

module burst_splitter #(
  parameter int unsigned WordBytes   = 8,   // a power of two up to 16
  parameter int unsigned AddressBits = 32,  // of an AXI address
  parameter int unsigned InfoBits    = 1    // of what goes along with a range
) (
  input logic clk_i,
  input logic rst_ni,
  input logic flush_i, // forget the range

  input  logic                   range_valid_i,    // a range is offered
  output logic                   range_ready_o,    // it is taken
  input  logic [AddressBits-1:0] range_address_i,  // bits below a word are ignored
  input  logic [           31:0] range_beats_i,    // words, from 1 up
  input  logic [   InfoBits-1:0] range_info_i,     // comes with its bursts

  output logic                   burst_valid_o,    // a burst is offered
  input  logic                   burst_ready_i,    // it is taken
  output logic [AddressBits-1:0] burst_address_o,  // the first byte
  output logic [            7:0] burst_len_o,      // beats - 1, as AXI has it
  output logic                   burst_last_o,     // of its range
  output logic [   InfoBits-1:0] burst_info_o      // that of its range
);

  localparam int unsigned OffsetBits = $clog2(WordBytes);
  localparam int unsigned BurstBits = 4;
  localparam int unsigned Burst = 1 << BurstBits;  // beats
  localparam int unsigned MoreBits = 33 - BurstBits;  // of a number of bursts
  if (WordBytes != 1 << OffsetBits || WordBytes > 16) begin : gen_check
    $error("burst_splitter: WordBytes must be a power of two up to 16, got %0d", WordBytes);
  end

  typedef logic [AddressBits-OffsetBits-BurstBits-1:0] block_t;  // number of an aligned burst
  typedef logic [BurstBits-1:0] word_t;  // within its block

  logic busy_q, last_q;  // last: of its range
  block_t block_q;
  word_t first_q;  // of the burst
  word_t end_q;  // where the range's last burst ends
  logic [MoreBits-1:0] more_q;  // bursts behind this one
  logic [InfoBits-1:0] info_q;

  // Of a range that comes in.
  block_t block;
  word_t first, range_end;
  logic [MoreBits-1:0] more;
  assign {block, first} = range_address_i[AddressBits-1:OffsetBits];
  assign {more, range_end} = 33'(range_beats_i) + 33'(first) - 33'd1;

  // `more` is 0, without waiting for the sum.
  wire [BurstBits:0] room = (BurstBits + 1)'(Burst) - {1'b0, first};
  wire fits = range_beats_i[31:BurstBits+1] == '0 && range_beats_i[BurstBits:0] <= room;

  wire step = !busy_q || burst_ready_i;  // the registers take the next burst,
  wire fresh = !busy_q || last_q;  // which is the first of a range
  word_t length;  // beats - 1
  assign length = (last_q ? end_q : word_t'(Burst - 1)) - first_q;

  assign range_ready_o   = !flush_i && step && fresh;
  assign burst_valid_o   = busy_q;
  assign burst_address_o = {block_q, first_q, OffsetBits'(0)};
  assign burst_len_o     = 8'(length);
  assign burst_last_o    = last_q;
  assign burst_info_o    = info_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || flush_i) begin
      busy_q <= 1'b0;
    end else if (range_ready_o) begin
      busy_q <= range_valid_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (step) begin
      first_q <= fresh ? first : '0;
      block_q <= fresh ? block : block_q + block_t'(1);
      more_q  <= fresh ? more : more_q - MoreBits'(1);
      last_q  <= fresh ? fits : more_q == MoreBits'(1);
      if (fresh) end_q <= range_end;
      if (fresh) info_q <= range_info_i;
    end
  end

  // The bits of the first byte within its word are for whoever gave the range.
  logic unused_address;
  assign unused_address = ^range_address_i[OffsetBits-1:0];

endmodule
