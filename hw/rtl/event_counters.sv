// SPDX-License-Identifier: Apache-2.0
//
// The performance counters of docs/isa.md: counter i grows by amount_i[i] in every cycle in which
// event_i[i] is high; clear_i sets all to 0. They wrap at 2**64.
//
// Latency: 2 cycles: events are registered first, and the upper halves count carries, so that no
// carry runs through 64 bits.

module event_counters #(
  parameter int unsigned Count      = 8,  // of counters
  parameter int unsigned AmountBits = 5   // of what an event adds
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clear_i,           // all to 0
  input  logic [     Count-1:0] event_i,           // by counter: it grows
  input  logic [AmountBits-1:0] amount_i [Count],  // by so much
  output logic [          63:0] counter_o[Count]   // wraps at 2**64
);

  for (genvar i = 0; i < Count; i++) begin : gen_counter
    logic [AmountBits-1:0] amount_q;
    logic [31:0] low_q, high_q;
    wire [32:0] sum = {1'b0, low_q} + 33'(amount_q);

    always_ff @(posedge clk_i) begin
      if (!rst_ni || clear_i) begin
        amount_q <= '0;
        low_q    <= '0;
        high_q   <= '0;
      end else begin
        amount_q <= event_i[i] ? amount_i[i] : '0;
        low_q    <= sum[31:0];
        high_q   <= high_q + 32'(sum[32]);
      end
    end

    assign counter_o[i] = {high_q, low_q};
  end

endmodule
