// SPDX-License-Identifier: Apache-2.0
//
// Cuts a range of AXI words into INCR bursts:
//
//   words   ... 13 14 15 | 16 17 ... 31 | 32 33 ...      bursts end where the word address is a
//   bursts     [ 3 beats][  16 beats   ][ ...            multiple of 16, or where the range ends
//
// With words of at most 16 bytes no burst has more than 16 beats or crosses 4 KiB.
//
// Handshake: the stream contract on both sides. One burst per cycle, and no cycle between two
// ranges; latency: 1 cycle. Relies on beats_i > 0.

module burst_splitter #(
  parameter int unsigned WordBytes   = 8,   // a power of two up to 16
  parameter int unsigned AddressBits = 32,
  parameter int unsigned InfoBits    = 1    // of what goes along with a range
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   flush_i,  // forget the range

  input  logic                   range_valid_i,
  output logic                   range_ready_o,
  input  logic [AddressBits-1:0] range_address_i,  // bits below a word are ignored
  input  logic [31:0]            range_beats_i,
  input  logic [InfoBits-1:0]    range_info_i,

  output logic                   burst_valid_o,
  input  logic                   burst_ready_i,
  output logic [AddressBits-1:0] burst_address_o,
  output logic [7:0]             burst_len_o,  // beats - 1, as AXI has it
  output logic                   burst_last_o,  // of its range
  output logic [InfoBits-1:0]    burst_info_o
);

  localparam int unsigned OffsetBits = $clog2(WordBytes);
  localparam int unsigned BurstBits  = 4;
  localparam int unsigned Burst      = 1 << BurstBits;  // beats
  if (WordBytes != 1 << OffsetBits || WordBytes > 16) begin : gen_check
    $error("burst_splitter: WordBytes must be a power of two up to 16, got %0d", WordBytes);
  end

  typedef logic [AddressBits-OffsetBits-1:0] word_t;

  logic                busy_q;
  word_t               word_q;
  logic [31:0]         beats_q;
  logic [InfoBits-1:0] info_q;

  wire [BurstBits:0] room = (BurstBits + 1)'(Burst) - {1'b0, word_q[BurstBits-1:0]};
  wire               last = beats_q <= 32'(room);
  wire [BurstBits:0] length = last ? beats_q[BurstBits:0] : room;
  wire               step = busy_q && burst_ready_i;

  assign range_ready_o   = !flush_i && (!busy_q || (step && last));
  assign burst_valid_o   = busy_q;
  assign burst_address_o = {word_q, OffsetBits'(0)};
  assign burst_len_o     = 8'(length) - 8'd1;
  assign burst_last_o    = last;
  assign burst_info_o    = info_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || flush_i) begin
      busy_q <= 1'b0;
    end else if (range_ready_o) begin
      busy_q <= range_valid_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (range_ready_o) begin
      word_q  <= range_address_i[AddressBits-1:OffsetBits];
      beats_q <= range_beats_i;
      info_q  <= range_info_i;
    end else if (step) begin
      word_q  <= word_q + word_t'(length);
      beats_q <= beats_q - 32'(length);
    end
  end

  // The bits of the first byte within its word are for whoever gave the range.
  logic unused_address;
  assign unused_address = ^range_address_i[OffsetBits-1:0];

endmodule
