// SPDX-License-Identifier: Apache-2.0
//
// A register in a stream that cuts the paths of valid, data and ready.
//
// Handshake: the stream contract: valid never waits for ready, the payload holds until ready, valid
// is low after reset. Every cycle can move one item. Latency: 1 cycle.

module skid_buffer #(
  parameter int unsigned Width = 8  // bits of an item
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic             valid_i,  // an item is offered
  output logic             ready_o,  // it is taken
  input  logic [Width-1:0] data_i,   // an item

  output logic             valid_o,  // an item is offered
  input  logic             ready_i,  // it is taken
  output logic [Width-1:0] data_o    // the oldest item
);

  logic valid_q, skid_valid_q;
  logic [Width-1:0] data_q, skid_q;

  assign ready_o = !skid_valid_q;
  assign valid_o = valid_q;
  assign data_o  = data_q;

  wire advance = ready_i || !valid_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q      <= 1'b0;
      skid_valid_q <= 1'b0;
    end else if (advance) begin
      valid_q      <= valid_i || skid_valid_q;
      skid_valid_q <= 1'b0;
    end else if (valid_i) begin
      skid_valid_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (advance) data_q <= skid_valid_q ? skid_q : data_i;
    if (!skid_valid_q) skid_q <= data_i;
  end

`ifndef SYNTHESIS
  payload_holds :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
      valid_o && !ready_i |=> valid_o && $stable(
      data_o
  ))
  else $error("skid_buffer: payload changed before ready");
`endif

endmodule
