// SPDX-License-Identifier: Apache-2.0
//
// What `axi_read_arbiter` promises of clients that obey the stream contract.

module axi_read_arbiter_props
  import cnnaccel_pkg::*;
(
  input logic                clk_i,
  input logic                rst_ni,
  input logic          [1:0] cmd_valid_i,
  input logic          [1:0] cmd_ready_o,
  input read_command_t       cmd_i       [2],
  input logic                cmd_valid_o,
  input logic                cmd_ready_i,
  input read_command_t       cmd_o,
  input logic                cmd_tag_o,
  input logic                beat_valid_i,
  input logic                beat_ready_o,
  input logic                beat_tag_i,
  input logic          [1:0] beat_valid_o,
  input logic          [1:0] beat_ready_i,
  input logic                held_q,
  input logic                tag_q
);

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  for (genvar i = 0; i < 2; i++) begin : gen_client
    stream_contract #(
      .Width ($bits(read_command_t)),
      .Assume(1'b1)
    ) u_in (
      .clk_i,
      .rst_ni,
      .valid_i(cmd_valid_i[i]),
      .ready_i(cmd_ready_o[i]),
      .data_i (cmd_i[i])
    );
  end

  stream_contract #(
    .Width($bits(read_command_t) + 1)
  ) u_out (
    .clk_i,
    .rst_ni,
    .valid_i(cmd_valid_o),
    .ready_i(cmd_ready_i),
    .data_i ({cmd_o, cmd_tag_o})
  );

  wire [1:0] taken = cmd_valid_i & cmd_ready_o;

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      never_idle:    assert (cmd_valid_o == (cmd_valid_i != 2'b00));
      from_client:   assert (!cmd_valid_o || cmd_valid_i[cmd_tag_o]);
      its_command:   assert (cmd_o == cmd_i[cmd_tag_o]);
      taken_once:    assert (taken == (cmd_valid_o && cmd_ready_i ? 2'b01 << cmd_tag_o : 2'b00));
      fetch_first:   assert (!cmd_valid_i[0] || !cmd_tag_o || (held_q && tag_q));
      to_its_client: assert (beat_valid_o == (beat_valid_i ? 2'b01 << beat_tag_i : 2'b00));
      as_client_can: assert (beat_ready_o == beat_ready_i[beat_tag_i]);
      // For induction.
      held_is_valid: assert (!held_q || cmd_valid_i[tag_q]);
      load_held_c:   cover (held_q && tag_q && cmd_valid_i[0]);
    end
    if (rst_ni && $past(rst_ni)) begin
      held_is_stalled: assert (held_q == $past(cmd_valid_o && !cmd_ready_i));
      both_c: cover (taken[1] && $past(taken[0] && cmd_valid_i[1]));
    end
  end
  // verilog_format: on

endmodule

bind axi_read_arbiter axi_read_arbiter_props u_props (.*);
