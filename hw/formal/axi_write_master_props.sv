// SPDX-License-Identifier: Apache-2.0
//
// What `axi_write_master` promises: its channels, data in order, flush and idle, whatever the
// commands.

module axi_write_master_props #(
  parameter  int unsigned WordBytes   = 8,
  parameter  int unsigned AddressBits = 32,
  parameter  int unsigned Outstanding = 8,
  localparam int unsigned IndexBits   = $clog2(Outstanding),
  localparam int unsigned LevelBits   = $clog2(Outstanding + 1)
) (
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   flush_i,
  input logic                   idle_o,
  input logic                   cmd_valid_i,
  input logic                   cmd_ready_o,
  input logic                   data_valid_i,
  input logic                   data_ready_o,
  input logic [8*WordBytes-1:0] data_i,
  input logic                   done_o,
  input logic                   error_o,
  input logic                   axi_awvalid_o,
  input logic                   axi_awready_i,
  input logic [AddressBits-1:0] axi_awaddr_o,
  input logic [            7:0] axi_awlen_o,
  input logic                   axi_wvalid_o,
  input logic                   axi_wready_i,
  input logic [8*WordBytes-1:0] axi_wdata_o,
  input logic [  WordBytes-1:0] axi_wstrb_o,
  input logic                   axi_wlast_o,
  input logic                   axi_bvalid_i,
  input logic                   axi_bready_o,
  input logic [            1:0] axi_bresp_i,
  input logic                   queue_valid,
  input logic                   issue,
  input logic                   issue_idle,
  input logic                   open_valid,
  input logic                   open_ready,
  input logic [            7:0] count_q,
  input logic [    IndexBits:0] under_way,
  input logic [    IndexBits:0] open,
  input logic [  IndexBits-1:0] open_head,
  input logic [            7:0] open_len     [Outstanding],
  input logic                   skid_valid,
  input logic                   skid_last,
  input logic [  WordBytes-1:0] skid_strb,
  input logic [8*WordBytes-1:0] skid_data
);

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  stream_contract #(
    .Width(9 * WordBytes + 1)
  ) u_w (
    .clk_i,
    .rst_ni,
    .valid_i(axi_wvalid_o),
    .ready_i(axi_wready_i),
    .data_i ({axi_wdata_o, axi_wstrb_o, axi_wlast_o})
  );

  wire w_taken = axi_wvalid_o && axi_wready_i;

  logic [LevelBits-1:0] level, owed;
  logic [7:0] beat, len[Outstanding];
  logic offered, waits;

  write_memory #(
    .AddressBits(AddressBits),
    .Outstanding(Outstanding)
  ) u_memory (
    .clk_i,
    .rst_ni,
    .awvalid_i   (axi_awvalid_o),
    .awready_i   (axi_awready_i),
    .awaddr_i    (axi_awaddr_o),
    .awlen_i     (axi_awlen_o),
    .wvalid_i    (axi_wvalid_o),
    .wready_i    (axi_wready_i),
    .wlast_i     (axi_wlast_o),
    .bvalid_i    (axi_bvalid_i),
    .offered_o   (offered),
    .waits_o     (waits),
    .level_o     (level),
    .owed_o      (owed),
    .may_answer_o(),
    .beat_o      (beat),
    .address_o   (),
    .len_o       (len)
  );

  // Words of the stream leave with all strobes, those of a flush with none.
  in_order #(
    .Width(8 * WordBytes)
  ) u_order (
    .clk_i,
    .rst_ni,
    .in_i       (data_valid_i && data_ready_o),
    .in_data_i  (data_i),
    .out_valid_i(axi_wvalid_o && axi_wstrb_o[0]),
    .out_ready_i(axi_wready_i),
    .out_data_i (axi_wdata_o)
  );

  wire [31:0] under_way_o = 32'(offered) + 32'(level) + 32'(owed);
  wire at_rest = level == '0 && owed == '0 && !axi_awvalid_o;
  // A burst lacks words after this cycle.
  wire lacks = 32'(offered) + 32'(level) > 32'(w_taken && axi_wlast_o);

  // For induction: where the beats in the skid buffer belong, oldest first.
  wire ends_first = axi_wvalid_o && axi_wlast_o;
  wire [7:0] after_first = ends_first ? '0 : beat + 8'(axi_wvalid_o);
  wire ends_second = skid_valid && skid_last;
  wire [7:0] after = ends_second ? '0 : after_first + 8'(skid_valid);
  wire [LevelBits-1:0] ended = LevelBits'(ends_first) + LevelBits'(ends_second);
  wire second = axi_wvalid_o && axi_wstrb_o[0];
  wire [LevelBits-1:0] at_second = LevelBits'(ends_first);

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      after_address: assert (!axi_wvalid_o || level != '0);
      last_in_place: assert (!axi_wvalid_o || axi_wlast_o == (beat == len[0]));
      all_or_none:   assert (!axi_wvalid_o || &axi_wstrb_o || axi_wstrb_o == '0);
      outstanding:   assert (under_way_o <= Outstanding);
      takes_response: assert (axi_bready_o);
      no_stray_response: assert (!axi_bvalid_i || queue_valid);
      open_has_room: assert (open_ready || !issue);
      keeps_data:    assert (!flush_i || !data_ready_o);
      takes_data:    assert (flush_i || data_ready_o == (open_valid && !skid_valid));
      silent:        assert (!flush_i || (!done_o && !error_o));
      error:         assert (flush_i || error_o == (axi_bvalid_i && axi_bresp_i[1]));
      done_is_response: assert (!done_o || axi_bvalid_i);
      idle_is_empty: assert (idle_o == (at_rest && issue_idle));
      idle_sends_none: assert (!idle_o || !axi_wvalid_o);
      // For induction.
      counts:        assert (32'(under_way) == under_way_o);
      open_counts:   assert (32'(open) + 32'(ended) == 32'(level) + 32'(offered));
      all_or_none_too: assert (!skid_valid || &skid_strb || skid_strb == '0);
      in_skid:       assert (!skid_valid || (axi_wvalid_o && at_second < level
                                             && skid_last == (after_first == len[at_second])));
      count_same:    assert (count_q == after && (!open_valid || count_q <= len[ended]));
      count_fits:    assert (open_valid || count_q == '0);
      words_inside:  assert (u_order.level == 4'(second) + 4'(skid_valid && skid_strb[0]));
      word_waiting:  assert (!skid_valid || !skid_strb[0] || u_order.ahead != 4'(second)
                             || skid_data == u_order.item_q);
      each_cycle_c:  cover (w_taken && axi_wlast_o && beat == 8'd1 && data_valid_i && data_ready_o);
      error_c:       cover (error_o && !done_o);
      flushed_c:     cover (w_taken && axi_wlast_o && axi_wstrb_o == '0 && beat == 8'd2);
    end
    if (rst_ni && $past(rst_ni)) begin
      begins_none:   assert (!$past(flush_i) || !axi_awvalid_o
                             || $past(axi_awvalid_o && !axi_awready_i));
      one_cycle:     assert (axi_wvalid_o || !$past(data_valid_i && data_ready_o));
      // For no AWREADY, for no response: only for words of a burst that was offered.
      w_never_waits: assert (axi_wvalid_o || !$past(lacks && (data_valid_i || flush_i)));
      w_before_aw_c: cover (waits && axi_wvalid_o && axi_wlast_o && beat == 8'd2);
      writes_none:   assert (!axi_wvalid_o || axi_wstrb_o == '0 || !$past(flush_i)
                             || $past(axi_wvalid_o));
      flush_ends_c:  cover (flush_i && idle_o && $past(owed == 1 && axi_wvalid_o == 1'b0)
                            && u_order.out_q != '0);
    end
    if (rst_ni && $past(rst_ni) && $past(rst_ni, 2)) begin
      // For no WREADY, nor for AWREADY but while an address is offered: only for room.
      aw_never_waits: assert (axi_awvalid_o
          || !$past(cmd_valid_i && cmd_ready_o && !axi_awvalid_o, 2)
          || $past(flush_i || under_way_o == Outstanding));
      ends: assert (idle_o || !flush_i || !$past(flush_i) || !$past(flush_i, 2)
                    || !$past(at_rest, 2));
    end
  end
  // verilog_format: on

  for (genvar i = 0; i < Outstanding; i++) begin : gen_open
    always_ff @(posedge clk_i) begin
      if (rst_ni && i < 32'(open)) begin
        // For induction.
        open_same :
        assert (open_len[IndexBits'(open_head + IndexBits'(i))]
                           == (32'(ended) + i == 32'(level) ? axi_awlen_o
                               : len[IndexBits'(32'(ended) + i)]));
      end
    end
  end

endmodule

bind axi_write_master axi_write_master_props #(
  .WordBytes  (WordBytes),
  .AddressBits(AddressBits),
  .Outstanding(Outstanding)
) u_props (
  .*,
  .under_way (u_under_way.tail_q - u_under_way.head_q),
  .open      (u_open.tail_q - u_open.head_q),
  .open_head (u_open.head_q[$clog2(Outstanding)-1:0]),
  .open_len  (u_open.items),
  .skid_valid(u_beats.skid_valid_q),
  .skid_last (u_beats.skid_q[9*WordBytes]),
  .skid_strb (u_beats.skid_q[9*WordBytes-1:8*WordBytes]),
  .skid_data (u_beats.skid_q[8*WordBytes-1:0])
);
