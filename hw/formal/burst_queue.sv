// SPDX-License-Identifier: Apache-2.0
//
// What the memory knows of bursts: those whose address it took, or of writes was offered, and that
// lack beats, oldest first.

module burst_queue #(
  parameter  int unsigned Depth       = 4,                 // bursts at most
  parameter  int unsigned AddressBits = 32,
  localparam int unsigned LevelBits   = $clog2(Depth + 1)
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   burst_i,           // there is another
  input  logic [AddressBits-1:0] address_i,
  input  logic [            7:0] len_i,
  input  logic                   beat_i,            // a beat of the oldest is taken
  output logic [  LevelBits-1:0] level_o,
  output logic [            7:0] beat_o,            // the number of the beat that comes next
  output logic [AddressBits-1:0] address_o[Depth],
  output logic [            7:0] len_o    [Depth]
);

  wire ends = beat_i && beat_o == len_o[0];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      level_o <= '0;
      beat_o  <= '0;
    end else begin
      level_o <= level_o + LevelBits'(burst_i) - LevelBits'(ends);
      if (beat_i) beat_o <= ends ? '0 : beat_o + 8'd1;
    end
  end

  for (genvar i = 0; i < Depth; i++) begin : gen_burst
    always_ff @(posedge clk_i) begin
      if (burst_i && 32'(level_o) == i + 32'(ends)) begin
        address_o[i] <= address_i;
        len_o[i]     <= len_i;
      end else if (ends && i + 1 < Depth) begin
        address_o[i] <= address_o[(i + 1) % Depth];
        len_o[i]     <= len_o[(i + 1) % Depth];
      end
    end
  end

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      not_too_many: assert (!burst_i || ends || 32'(level_o) < Depth);
      asked_for:    assert (!beat_i || level_o != '0);
      // For induction.
      level_fits:   assert (32'(level_o) <= Depth);
      beat_fits:    assert (beat_o == '0 || (level_o != '0 && beat_o <= len_o[0]));
      most_c:       cover (32'(level_o) == Depth);
    end
  end
  // verilog_format: on

endmodule
