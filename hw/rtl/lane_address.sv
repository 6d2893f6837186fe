// SPDX-License-Identifier: Apache-2.0
//
// From the walkers to the rows of the banks of act, and which lanes are in the input.
//
//   lane p reads word a + p*D, lies in column x + p*D, row y
//   bank of lane p = (bank of lane 0 + p * D/L) mod P; D/L is odd, so this meets every bank once
//   lane of bank b = (b - bank of lane 0) * D/L mod P; an odd number is its own inverse mod 2, 4, 8
//
//   rank 1  first step of an instruction: D, L, limits taken over    3  lane adders
//   rank 2  walkers: inputs                                          4  rows, limits
//                                                                    5  rows by bank: outputs
//
// Latency: LaneAddressLatency, 3, of everything. Without handshake; what a step without valid gives
// is of no use.

module lane_address
  import cnnaccel_pkg::*;
(
  input logic clk_i,

  input logic take_i,           // rank 1: the fields below are for this step on
  input u16_t lane_distance_i,  // D: words of act from lane to lane
  input u2_t  log2_l_i,         // of the interleave L
  input u16_t in_w_i,           // columns of the input
  input u12_t in_h_i,           // rows of the input

  input act_address_t a_i,  // rank 2
  input s17_t         x_i,  // rank 2: column of lane 0
  input s12_t         y_i,  // rank 2: row of all lanes

  output row_t                   row_o   [PixelLanes],  // rank 5, by bank
  output bank_t [PixelLanes-1:0] bank_o,                // by lane
  output logic  [PixelLanes-1:0] inside_o               // by lane
);

  // Of x + p*D: 17 bits signed and up to 7 * 65535.
  localparam int unsigned ColumnBits = 20;
  typedef logic [ColumnBits-1:0] column_t;

  typedef struct packed {
    u2_t   log2_l;
    bank_t step;    // D/L mod P
    u16_t  in_w;
    u12_t  in_h;
  } limits_t;

  column_t offset_q[PixelLanes];  // p*D

  // Sums and shifts: a product would take a DSP.
  function automatic column_t times(input u16_t distance, input int unsigned lane);
    column_t sum = '0;
    for (int unsigned i = 0; i < 3; i++) begin
      if (lane[i]) sum += column_t'(distance) << i;
    end
    return sum;
  endfunction

  limits_t limits2_q, limits3_q;
  bank_t step4_q;

  always_ff @(posedge clk_i) begin
    if (take_i) begin
      for (int unsigned p = 0; p < PixelLanes; p++) begin
        offset_q[p] <= times(lane_distance_i, p);
      end
      limits2_q <= '{
          log2_l: log2_l_i,
          step: bank_t'(lane_distance_i >> log2_l_i),
          in_w: in_w_i,
          in_h: in_h_i
      };
    end
    limits3_q <= limits2_q;
    step4_q   <= limits3_q.step;
  end

  act_address_t a3_q[PixelLanes];
  column_t x3_q[PixelLanes];
  s12_t y3_q;
  logic signed [ColumnBits-1:0] x;
  row_t row4_q[PixelLanes];
  bank_t bank4_q;  // of lane 0
  logic [PixelLanes-1:0] inside4_q;

  bank_t lane_of[PixelLanes];  // by bank

  assign x = x_i;

  for (genvar p = 0; p < PixelLanes; p++) begin : gen_lane_of
    assign lane_of[p] = PixelLanes == 1 ? '0 : bank_t'((bank_t'(p) - bank4_q) * step4_q);
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < PixelLanes; p++) begin
      a3_q[p] <= a_i + act_address_t'(offset_q[p]);
      x3_q[p] <= column_t'(x) + offset_q[p];
      row4_q[p] <= row_of(a3_q[p], limits3_q.log2_l);
      // Unsigned: what is below 0 is beyond every limit.
      inside4_q[p] <= x3_q[p] < column_t'(limits3_q.in_w) && u12_t'(y3_q) < limits3_q.in_h;
      row_o[p]  <= row4_q[lane_of[p]];
      bank_o[p] <= PixelLanes == 1 ? '0 : bank_t'(bank4_q + bank_t'(p) * step4_q);
    end
    y3_q     <= y_i;
    bank4_q  <= bank_of(a3_q[0], limits3_q.log2_l);
    inside_o <= inside4_q;
  end

`ifndef SYNTHESIS
  lanes_meet_in_no_bank :
  assert property (@(posedge clk_i)
      take_i && PixelLanes > 1 |-> lane_distance_i % (u16_t'(2) << log2_l_i) == 16'd1 << log2_l_i)
  else
    $error(
        "lane_address: distance %0d is no odd multiple of %0d", lane_distance_i, 16'd1 << log2_l_i
    );
`endif

endmodule
