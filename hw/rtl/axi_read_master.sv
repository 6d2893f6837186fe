// SPDX-License-Identifier: Apache-2.0
//
// Reads ranges of bytes over AXI4: the words that hold bytes address to address + bytes - 1, in
// order, for each command. Bursts are INCR, of whole words, as `burst_issue` sends them; up to
// Outstanding of them are under way, with one ID, so that data come in the order of commands.
//
//   command  address 0x...5, 9 bytes, C = 4       beats   . . . . | 5 6 7 8 | 9 a b c | d . . .
//                                                           offset_o = 1 ^              last_o ^
//
// Handshake: the stream contract on commands, beats and AXI channels. A command every cycle if it
// is one burst; a beat every cycle. Latency: 2 cycles from command to AR, 1 from R to beat.
// Errors: a beat with an error response has error_o; nothing else changes, so the stream never
// hangs.
// Flush: while flush_i, commands are forgotten, no burst is begun and beats are dropped. Hold it
// until idle_o is high: then nothing is under way, and whoever waited for beats may be reset.
// Relies on 0 < bytes < 2**31. Two clients share a master through `axi_read_arbiter`.

module axi_read_master #(
  parameter  int unsigned WordBytes   = 8,                 // C, a power of two up to 16
  parameter  int unsigned AddressBits = 32,                // of an AXI address
  parameter  int unsigned TagBits     = 1,                 // returned with the beats of a command
  parameter  int unsigned Outstanding = 8,                 // bursts, a power of two
  localparam int unsigned OffsetBits  = $clog2(WordBytes)  // of a byte in a word
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic flush_i,  // begin nothing, drop what comes
  output logic idle_o,   // nothing is under way

  input  logic                   cmd_valid_i,    // a command is offered
  output logic                   cmd_ready_o,    // it is taken
  input  logic [AddressBits-1:0] cmd_address_i,  // the first byte
  input  logic [           31:0] cmd_bytes_i,    // how many, from 1 up
  input  logic [    TagBits-1:0] cmd_tag_i,      // whose it is

  output logic                   beat_valid_o,   // a beat is offered
  input  logic                   beat_ready_i,   // it is taken
  output logic [8*WordBytes-1:0] beat_data_o,    // a word, the first byte lowest
  output logic [ OffsetBits-1:0] beat_offset_o,  // of the command's first byte in its first beat
  output logic                   beat_last_o,    // of the command
  output logic                   beat_error_o,   // AXI's response was one
  output logic [    TagBits-1:0] beat_tag_o,     // that of its command

  output logic                   axi_arvalid_o,  // AR: an address to read from is offered
  input  logic                   axi_arready_i,  // AR: it is taken
  output logic [AddressBits-1:0] axi_araddr_o,   // AR: the first byte
  output logic [            7:0] axi_arlen_o,    // AR: beats - 1
  input  logic                   axi_rvalid_i,   // R: a beat is offered
  output logic                   axi_rready_o,   // R: it is taken
  input  logic [8*WordBytes-1:0] axi_rdata_i,    // R: its bytes, the first lowest
  input  logic [            1:0] axi_rresp_i,    // R: OKAY, or what went wrong
  input  logic                   axi_rlast_i     // R: it is its burst's last
);

  typedef struct packed {
    logic [OffsetBits-1:0] offset;
    logic [TagBits-1:0]    tag;
  } info_t;
  typedef struct packed {
    logic  last;
    info_t info;
  } burst_t;
  typedef struct packed {
    logic                   error;
    logic                   last;
    info_t                  info;
    logic [8*WordBytes-1:0] data;
  } beat_t;

  logic issue, issue_last, issue_idle, queue_ready, queue_valid;
  info_t cmd_info, issue_info;
  burst_t oldest;
  logic [7:0] unused_len;  // RLAST says where a burst ends

  assign cmd_info = '{offset: cmd_address_i[OffsetBits-1:0], tag: cmd_tag_i};
  wire [31:0] cmd_beats =
      (cmd_bytes_i + 32'(cmd_address_i[OffsetBits-1:0]) + 32'(WordBytes - 1)) >> OffsetBits;

  burst_issue #(
    .WordBytes  (WordBytes),
    .AddressBits(AddressBits),
    .InfoBits   ($bits(info_t))
  ) u_issue (
    .clk_i,
    .rst_ni,
    .flush_i,
    .idle_o         (issue_idle),
    .range_valid_i  (cmd_valid_i),
    .range_ready_o  (cmd_ready_o),
    .range_address_i(cmd_address_i),
    .range_beats_i  (cmd_beats),
    .range_info_i   (cmd_info),
    .queue_ready_i  (queue_ready),
    .issue_o        (issue),
    .issue_last_o   (issue_last),
    .issue_info_o   (issue_info),
    .issue_len_o    (unused_len),
    .axi_valid_o    (axi_arvalid_o),
    .axi_ready_i    (axi_arready_i),
    .axi_addr_o     (axi_araddr_o),
    .axi_len_o      (axi_arlen_o)
  );

  wire r_taken = axi_rvalid_i && axi_rready_o;

  fifo #(
    .Width($bits(burst_t)),
    .Depth(Outstanding)
  ) u_under_way (
    .clk_i,
    .rst_ni,
    .valid_i(issue),
    .ready_o(queue_ready),
    .data_i ({issue_last, issue_info}),
    .valid_o(queue_valid),
    .ready_i(r_taken && axi_rlast_i),
    .data_o (oldest)
  );

  beat_t beat_in, beat_out;
  logic held_valid;

  assign beat_in = '{
          error: axi_rresp_i[1],
          last: oldest.last && axi_rlast_i,
          info: oldest.info,
          data: axi_rdata_i
      };

  skid_buffer #(
    .Width($bits(beat_t))
  ) u_beats (
    .clk_i,
    .rst_ni,
    .valid_i(axi_rvalid_i),
    .ready_o(axi_rready_o),
    .data_i (beat_in),
    .valid_o(held_valid),
    .ready_i(beat_ready_i || flush_i),
    .data_o (beat_out)
  );

  assign beat_valid_o  = held_valid && !flush_i;
  assign beat_data_o   = beat_out.data;
  assign beat_offset_o = beat_out.info.offset;
  assign beat_last_o   = beat_out.last;
  assign beat_error_o  = beat_out.error;
  assign beat_tag_o    = beat_out.info.tag;

  assign idle_o = issue_idle && !queue_valid && !held_valid;

  // The low bit only tells OKAY from EXOKAY, SLVERR from DECERR.
  logic unused_resp;
  assign unused_resp = axi_rresp_i[0];

`ifndef SYNTHESIS
  no_stray_beat :
  assert property (@(posedge clk_i) disable iff (!rst_ni) axi_rvalid_i |-> queue_valid)
  else $error("axi_read_master: a beat that no burst asked for");
`endif

endmodule
