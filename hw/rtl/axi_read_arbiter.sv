// SPDX-License-Identifier: Apache-2.0
//
// Lets fetch (client 0) and load (client 1) share one `axi_read_master` with TagBits = 1: commands
// of client 0 go first, and the tag of a beat says whose it is.
//
// Handshake: the stream contract; no latency. A beat that its client does not take holds up the
// beats behind it, so a client asks only for what it can take without help from the other: fetch
// for bytes it has room for, load for words whose tokens it has.

module axi_read_arbiter
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic          [1:0] cmd_valid_i,    // by client
  output logic          [1:0] cmd_ready_o,    // it is taken
  input  read_command_t       cmd_i      [2], // what is to be read

  output logic          cmd_valid_o,  // a command is offered
  input  logic          cmd_ready_i,  // it is taken
  output read_command_t cmd_o,        // what is to be read
  output logic          cmd_tag_o,    // whose it is

  input  logic       beat_valid_i,  // a beat is offered
  output logic       beat_ready_o,  // it is taken
  input  logic       beat_tag_i,    // whose it is
  output logic [1:0] beat_valid_o,  // by client; data go past this module
  input  logic [1:0] beat_ready_i   // it is taken
);

  // A command that was offered stays.
  logic held_q, tag_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      held_q <= 1'b0;
    end else begin
      held_q <= cmd_valid_o && !cmd_ready_i;
    end
  end

  always_ff @(posedge clk_i) tag_q <= cmd_tag_o;

  assign cmd_tag_o   = held_q ? tag_q : !cmd_valid_i[0];
  assign cmd_valid_o = |cmd_valid_i;
  assign cmd_o       = cmd_i[cmd_tag_o];
  assign cmd_ready_o = {cmd_ready_i && cmd_tag_o, cmd_ready_i && !cmd_tag_o};

  assign beat_valid_o = {beat_valid_i && beat_tag_i, beat_valid_i && !beat_tag_i};
  assign beat_ready_o = beat_ready_i[beat_tag_i];

`ifndef SYNTHESIS
  command_holds :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
      cmd_valid_o && !cmd_ready_i
      |=> cmd_valid_o && $stable(
      {cmd_tag_o, cmd_o}
  ))
  else $error("axi_read_arbiter: a command changed before ready");
`endif

endmodule
