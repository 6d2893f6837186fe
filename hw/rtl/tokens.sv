// SPDX-License-Identifier: Apache-2.0
//
// Counters of tokens, one for each ordered pair of units:
//
//   count[giver][taker] += give_i[giver] && signal_to_i[giver][taker]
//                       -  take_i[taker] && wait_for_i[taker][giver]
//
// Handshake: while valid_i[u], the next instruction of unit u is there and waits for the units in
// wait_for_i[u]; grant_o[u] says that their tokens are, and stays until take_i[u], with which it
// starts. grant_o does not depend on take_i. Latency: a token given can be taken in the next cycle.
// Errors: error_o stays high until reset: a counter overflowed, or the units wait for one another:
// for StuckCycles no unit was busy, none had its tokens, one at least waited, and no instruction
// was coming.

module tokens
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic [2:0] valid_i,         // by unit, as are the next
  input  u3_t        wait_for_i [3],  // units whose tokens it needs
  output logic [2:0] grant_o,         // they are all there
  output u3_t        missing_o  [3],  // the givers whose tokens are not there
  input  logic [2:0] take_i,          // it starts, with its tokens
  input  logic [2:0] give_i,          // one cycle: an instruction is done
  input  u3_t        signal_to_i[3],  // with give_i: units that get a token

  input  logic [2:0] busy_i,         // an instruction is taken and not done
  input  logic       fetch_still_i,  // no instruction is on its way
  output logic       error_o         // until reset
);

  localparam int unsigned StuckBits = $clog2(StuckCycles + 1);
  typedef logic [TokenBits-1:0] count_t;

  logic [2:0] overflow[3];

  for (genvar giver = 0; giver < 3; giver++) begin : gen_giver
    for (genvar taker = 0; taker < 3; taker++) begin : gen_taker
      if (giver == taker) begin : gen_none
        assign missing_o[taker][giver]  = 1'b0;
        assign overflow[giver][taker]  = 1'b0;
      end else begin : gen_counter
        count_t count_q;
        logic some_q;  // count_q is not 0
        wire up = give_i[giver] && signal_to_i[giver][taker];
        wire down = take_i[taker] && wait_for_i[taker][giver];

        assign missing_o[taker][giver] = wait_for_i[taker][giver] && !some_q;
        assign overflow[giver][taker]  = up && !down && count_q == '1;

        always_ff @(posedge clk_i) begin
          if (!rst_ni) begin
            count_q <= '0;
            some_q  <= 1'b0;
          end else begin
            count_q <= count_q + count_t'(up) - count_t'(down);
            some_q  <= up || (some_q && !(down && count_q == count_t'(1)));
          end
        end
      end
    end
  end

  for (genvar unit = 0; unit < 3; unit++) begin : gen_grant
    assign grant_o[unit] = missing_o[unit] == '0;
  end

  logic [StuckBits-1:0] stuck_q;
  wire stuck = valid_i != '0 && (valid_i & grant_o) == '0 && busy_i == '0 && fetch_still_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      stuck_q <= '0;
      error_o <= 1'b0;
    end else begin
      stuck_q <= !stuck || give_i != '0 ? '0 : stuck_q + StuckBits'(1);
      if (stuck_q == StuckBits'(StuckCycles)) error_o <= 1'b1;
      if ({overflow[0], overflow[1], overflow[2]} != '0) error_o <= 1'b1;
    end
  end

`ifndef SYNTHESIS
  for (genvar unit = 0; unit < 3; unit++) begin : gen_assert
    takes_what_is_there :
    assert property (@(posedge clk_i) disable iff (!rst_ni)
        take_i[unit] |-> valid_i[unit] && grant_o[unit])
    else $error("tokens: unit %0d starts without its tokens", unit);
  end
`endif

endmodule
