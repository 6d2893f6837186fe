// SPDX-License-Identifier: Apache-2.0
//
// Writes ranges of whole words over AXI4: for each command, the next `words` items of the data
// stream. Bursts are INCR, as `burst_issue` sends them; up to Outstanding of them wait for their
// response.
//
// Handshake: the stream contract on commands, data and AXI channels. A word every cycle. The words
// of a burst go out from the cycle after its address is offered, taken or not: a slave may wait for
// WVALID before it takes the address (IHI0022, A3.3.1).
// Latency: 2 cycles from command to AW, 1 from data to W.
// done_o: one cycle, when the response to a command with cmd_last_i has come, and to all before it.
// error_o: one cycle, when a response is an error; done_o comes all the same, so nothing hangs.
// Flush: while flush_i, commands are forgotten, no burst is begun and those begun are ended by
// beats that write nothing, their addresses taken or not. Hold it until idle_o: then no address is
// offered, no burst lacks data or its response, and the source may be reset.
// Relies on words > 0.

module axi_write_master #(
  parameter int unsigned WordBytes   = 8,   // C, a power of two up to 16
  parameter int unsigned AddressBits = 32,  // of an AXI address
  parameter int unsigned Outstanding = 8    // bursts, a power of two
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic flush_i,  // begin nothing, end without writing
  output logic idle_o,   // nothing is under way

  input  logic                   cmd_valid_i,    // a command is offered
  output logic                   cmd_ready_o,    // it is taken
  input  logic [AddressBits-1:0] cmd_address_i,  // of a word
  input  logic [           31:0] cmd_words_i,    // how many, from 1 up
  input  logic                   cmd_last_i,     // done_o tells its end

  input  logic                   data_valid_i,  // a word is offered
  output logic                   data_ready_o,  // it is taken
  input  logic [8*WordBytes-1:0] data_i,        // words of the commands, in order

  output logic done_o,  // one cycle: all up to a command with `last` is written
  output logic error_o, // one cycle: a response was an error

  output logic                   axi_awvalid_o,  // AW: an address to write to is offered
  input  logic                   axi_awready_i,  // AW: it is taken
  output logic [AddressBits-1:0] axi_awaddr_o,   // AW: the first byte
  output logic [            7:0] axi_awlen_o,    // AW: beats - 1
  output logic                   axi_wvalid_o,   // W: a beat is offered
  input  logic                   axi_wready_i,   // W: it is taken
  output logic [8*WordBytes-1:0] axi_wdata_o,    // W: its bytes, the first lowest
  output logic [  WordBytes-1:0] axi_wstrb_o,    // W: which of them are written
  output logic                   axi_wlast_o,    // W: it is its burst's last
  input  logic                   axi_bvalid_i,   // B: a response is offered
  output logic                   axi_bready_o,   // B: it is taken
  input  logic [            1:0] axi_bresp_i     // B: OKAY, or what went wrong
);

  typedef struct packed {
    logic                   last;
    logic [WordBytes-1:0]   strb;
    logic [8*WordBytes-1:0] data;
  } beat_t;

  logic issue, issue_last, issue_info, issue_idle, queue_ready, queue_valid, oldest_last;
  logic [7:0] issue_len;

  burst_issue #(
    .WordBytes  (WordBytes),
    .AddressBits(AddressBits),
    .InfoBits   (1)
  ) u_issue (
    .clk_i,
    .rst_ni,
    .flush_i,
    .idle_o         (issue_idle),
    .range_valid_i  (cmd_valid_i),
    .range_ready_o  (cmd_ready_o),
    .range_address_i(cmd_address_i),
    .range_beats_i  (cmd_words_i),
    .range_info_i   (cmd_last_i),
    .queue_ready_i  (queue_ready),
    .issue_o        (issue),
    .issue_last_o   (issue_last),
    .issue_info_o   (issue_info),
    .issue_len_o    (issue_len),
    .axi_valid_o    (axi_awvalid_o),
    .axi_ready_i    (axi_awready_i),
    .axi_addr_o     (axi_awaddr_o),
    .axi_len_o      (axi_awlen_o)
  );

  fifo #(
    .Width(1),
    .Depth(Outstanding)
  ) u_under_way (
    .clk_i,
    .rst_ni,
    .valid_i(issue),
    .ready_o(queue_ready),
    .data_i (issue_last && issue_info),
    .valid_o(queue_valid),
    .ready_i(axi_bvalid_i),
    .data_o (oldest_last)
  );

  // Bursts that lack data, from their issue on; never more than are under way.
  logic open_valid, open_ready, beat_valid, beat_ready;
  logic [7:0] open_len, count_q;
  beat_t beat_in, beat_out;

  fifo #(
    .Width(8),
    .Depth(Outstanding)
  ) u_open (
    .clk_i,
    .rst_ni,
    .valid_i(issue),
    .ready_o(open_ready),
    .data_i (issue_len),
    .valid_o(open_valid),
    .ready_i(beat_valid && beat_ready && beat_in.last),
    .data_o (open_len)
  );

  assign beat_valid   = open_valid && (data_valid_i || flush_i);
  assign data_ready_o = open_valid && beat_ready && !flush_i;
  assign beat_in      = '{
    last: count_q == open_len,
    strb: {WordBytes{!flush_i}},
    data: data_i
  };

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q <= '0;
    end else if (beat_valid && beat_ready) begin
      count_q <= beat_in.last ? '0 : count_q + 8'd1;
    end
  end

  skid_buffer #(
    .Width($bits(beat_t))
  ) u_beats (
    .clk_i,
    .rst_ni,
    .valid_i(beat_valid),
    .ready_o(beat_ready),
    .data_i (beat_in),
    .valid_o(axi_wvalid_o),
    .ready_i(axi_wready_i),
    .data_o (beat_out)
  );

  assign axi_wdata_o = beat_out.data;
  assign axi_wstrb_o = beat_out.strb;
  assign axi_wlast_o = beat_out.last;

  assign axi_bready_o = 1'b1;
  assign done_o       = axi_bvalid_i && oldest_last && !flush_i;
  assign error_o      = axi_bvalid_i && axi_bresp_i[1] && !flush_i;
  assign idle_o       = issue_idle && !queue_valid;

  // The low bit only tells OKAY from EXOKAY, SLVERR from DECERR.
  logic unused_resp;
  assign unused_resp = axi_bresp_i[0];

`ifndef SYNTHESIS
  open_has_room :
  assert property (@(posedge clk_i) disable iff (!rst_ni) issue |-> open_ready)
  else $error("axi_write_master: more bursts open than under way");
  no_stray_response :
  assert property (@(posedge clk_i) disable iff (!rst_ni) axi_bvalid_i |-> queue_valid)
  else $error("axi_write_master: a response that no burst asked for");
`else
  logic unused_open;
  assign unused_open = open_ready;
`endif

endmodule
