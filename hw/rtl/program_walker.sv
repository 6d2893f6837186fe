// SPDX-License-Identifier: Apache-2.0
//
// Counts through a program in pieces of 64 bytes, by which all its parts are divisible: section
// once, then section body `count` times. Each of these is a pass.
//
// Handshake: start_i takes the lengths; while valid_o there is a piece, and next_i goes on to the
// one behind it. Empty passes have no pieces. Latency: 1 cycle from start_i to the first piece.

module program_walker
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic     start_i,   // one cycle
  input request_t request_i, // lengths and count, in the cycle of start_i

  output logic valid_o,  // there is a piece
  input  logic next_i,   // of use while valid_o
  output logic body_o,   // the piece is of section body
  output logic last_o    // of its pass
);

  localparam int unsigned PieceLog2 = 6;

  logic [25:0] left_q, body_pieces_q;  // left: in this pass
  logic [31:0] passes_q;  // of body, that are still to begin
  logic body_single_q;  // a pass of body is one piece

  wire [25:0] once_pieces = request_i.once_bytes[31:PieceLog2];
  wire [25:0] body_pieces = request_i.body_bytes[31:PieceLog2];
  wire has_once = once_pieces != '0;
  wire has_body = body_pieces != '0 && request_i.count != '0;
  wire ends = valid_o && next_i && last_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
    end else if (start_i) begin
      valid_o <= has_once || has_body;
    end else if (ends) begin
      valid_o <= passes_q != '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      body_pieces_q <= body_pieces;
      body_o        <= !has_once;
      left_q        <= has_once ? once_pieces : body_pieces;
      body_single_q <= body_pieces == 26'd1;
      last_o        <= has_once ? once_pieces == 26'd1 : body_pieces == 26'd1;
      passes_q      <= has_body ? request_i.count - 32'(!has_once) : '0;
    end else if (ends) begin
      body_o   <= 1'b1;
      left_q   <= body_pieces_q;
      last_o   <= body_single_q;
      passes_q <= passes_q - 32'd1;
    end else if (next_i) begin
      left_q <= left_q - 26'd1;
      last_o <= left_q == 26'd2;
    end
  end

endmodule
