// SPDX-License-Identifier: Apache-2.0
//
// What `axi_read_master` promises of its channels, of flush and idle, whatever the commands.

module axi_read_master_props #(
  parameter int unsigned WordBytes   = 8,
  parameter int unsigned AddressBits = 32,
  parameter int unsigned Outstanding = 8
) (
  input logic                         clk_i,
  input logic                         rst_ni,
  input logic                         flush_i,
  input logic                         idle_o,
  input logic                         cmd_valid_i,
  input logic                         cmd_ready_o,
  input logic [                 31:0] cmd_bytes_i,
  input logic                         beat_valid_o,
  input logic                         beat_ready_i,
  input logic                         axi_arvalid_o,
  input logic                         axi_arready_i,
  input logic [      AddressBits-1:0] axi_araddr_o,
  input logic [                  7:0] axi_arlen_o,
  input logic                         axi_rvalid_i,
  input logic                         axi_rready_o,
  input logic [      8*WordBytes-1:0] axi_rdata_i,
  input logic [                  1:0] axi_rresp_i,
  input logic                         axi_rlast_i,
  input logic                         queue_valid,
  input logic                         held_valid,
  input logic                         issue_idle,
  input logic [$clog2(Outstanding):0] under_way
);

  localparam int unsigned LevelBits = $clog2(Outstanding + 1);
  logic [LevelBits-1:0] level;

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  read_memory #(
    .WordBytes  (WordBytes),
    .AddressBits(AddressBits),
    .Outstanding(Outstanding)
  ) u_memory (
    .clk_i,
    .rst_ni,
    .arvalid_i(axi_arvalid_o),
    .arready_i(axi_arready_i),
    .araddr_i (axi_araddr_o),
    .arlen_i  (axi_arlen_o),
    .rvalid_i (axi_rvalid_i),
    .rready_i (axi_rready_o),
    .rdata_i  (axi_rdata_i),
    .rresp_i  (axi_rresp_i),
    .rlast_i  (axi_rlast_i),
    .level_o  (level)
  );

  wire at_rest = level == '0 && !axi_arvalid_o;

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    assume (cmd_bytes_i != '0 && !cmd_bytes_i[31]);
    if (rst_ni) begin
      outstanding:   assert (32'(level) + 32'(axi_arvalid_o) <= Outstanding);
      no_stray_beat: assert (!axi_rvalid_i || queue_valid);
      drops:         assert (!flush_i || !beat_valid_o);
      ready_unless_held: assert (axi_rready_o || held_valid);
      idle_is_empty: assert (!idle_o || (at_rest && !beat_valid_o && issue_idle));
      empty_is_idle: assert (idle_o || !at_rest || held_valid || !issue_idle);
      // For induction.
      counts:        assert (32'(under_way) == 32'(level) + 32'(axi_arvalid_o));
    end
    if (rst_ni && $past(rst_ni)) begin
      begins_none:   assert (!$past(flush_i) || !axi_arvalid_o
                             || $past(axi_arvalid_o && !axi_arready_i));
      takes_in_flush: assert (!$past(flush_i) || axi_rready_o);
      never_waits:   assert (!$past(beat_ready_i) || axi_rready_o);
      idle_again_c:  cover (idle_o && flush_i && $past(held_valid && flush_i));
      each_cycle_c:  cover (axi_rvalid_i && axi_rready_o && beat_valid_o && beat_ready_i
                            && $past(axi_rlast_i && axi_rvalid_i && axi_rready_o));
    end
    if (rst_ni && $past(rst_ni) && $past(rst_ni, 2)) begin
      // For no beat to be taken, nor for ARREADY but while an address is offered: only for room.
      ar_never_waits: assert (axi_arvalid_o
          || !$past(cmd_valid_i && cmd_ready_o && !axi_arvalid_o, 2)
          || $past(flush_i || 32'(level) + 32'(axi_arvalid_o) == Outstanding));
      ends: assert (idle_o || !flush_i || !$past(flush_i) || !$past(flush_i, 2)
                    || !$past(at_rest, 2));
    end
  end
  // verilog_format: on

endmodule

bind axi_read_master axi_read_master_props #(
  .WordBytes  (WordBytes),
  .AddressBits(AddressBits),
  .Outstanding(Outstanding)
) u_props (
  .*,
  .under_way(u_under_way.tail_q - u_under_way.head_q)
);
