// SPDX-License-Identifier: Apache-2.0
//
// The nine counters of an instruction, one step per cycle: co oy ox phase wy wx | ky kx ci.
//
//   start_i   the instruction is in instr_i from the next cycle on, until last_o
//   step_o    a step is taken: the flags beside it are its own, level_o is the outermost counter
//             that changes behind it, one-hot
//   last_o    it is the last step of the instruction; start_i may come with it, or a cycle later
//             if it is the first one too, so that rank 1 sees every instruction
//
// The only stall of the array: the last step of a tile waits until the drain register will be free,
// which is when as many cycles have passed since the last step of the tile before as that tile has
// words, max(2, P * words), or 1 if it is not drained.
//
// Latency: the first step FirstStepCycles, 2, after start_i; in the cycle between, what the
// counters will do at the end of a tile is decided, so that a step needs just ky, kx and ci. This
// relies on tiles being at least two cycles apart, or the only one of their instruction.

module loop_controller
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic              start_i,         // one cycle, when ready_o
  input u16_t [Levels-1:0] start_bounds_i,  // value - 1, co first; of the instruction that starts
  input u16_t [Levels-1:0] bounds_i,        // of the instruction that runs
  input logic              drain_i,         // of it: tiles are drained
  input u3_t               words_i,         // of it: of a pixel in a group co
  input u3_t               words_last_i,    // of it: in the last group

  output logic              ready_o,         // for start_i
  output logic              step_o,          // a step is taken
  output logic              first_o,         // of the instruction
  output logic              tile_first_o,    // the step is its tile's first
  output logic              tile_last_o,     // the step is its tile's last
  output logic              first_row_o,     // ky = 0
  output logic              window_first_o,  // wy = wx = 0
  output logic              window_last_o,   // wy and wx at their ends
  output logic              group_last_o,    // the last co
  output logic              last_o,          // one cycle: the step is its instruction's last
  output logic [Levels-1:0] level_o          // one-hot: the level that moves behind the step
);

  localparam int unsigned Tile = 6;  // the first level of a tile: ky
  localparam int unsigned DrainBits = $clog2(PixelLanes * GroupWords + 2) + 1;

  typedef enum logic [1:0] {
    StIdle,
    StPrepare,
    StRun
  } state_e;

  state_e state_q, state_d;
  u16_t [Levels-1:0] left_q;  // rounds after this one
  logic [Levels-1:0] zero_q;  // left_q is 0
  logic [Tile-1:0] outer_q;  // the outer level that steps at the end of the tile, one-hot
  logic outer_last_q;  // there is none
  logic first_q, tile_first_q, first_row_q, window_first_q;

  logic [Levels-1:0] bound_zero_q;  // bounds_i is 0
  logic tile_end_q;  // the last step of a tile
  // Steps within the tile, or its end.
  logic [Levels-1:0] level;
  logic free_q;  // the drain register will be, for a tile that ends now

  always_comb begin
    level           = '0;
    level[8]        = !zero_q[8];
    level[7]        = zero_q[8] && !zero_q[7];
    level[6]        = zero_q[8] && zero_q[7] && !zero_q[6];
    level[Tile-1:0] = tile_end_q ? outer_q : '0;
  end

  assign step_o         = state_q == StRun && (!tile_end_q || free_q);
  assign first_o        = first_q;
  assign tile_first_o   = tile_first_q;
  assign tile_last_o    = tile_end_q;
  assign first_row_o    = first_row_q;
  assign window_first_o = window_first_q;
  assign window_last_o  = zero_q[4] && zero_q[5];
  assign group_last_o   = zero_q[0];
  assign last_o         = state_q == StRun && tile_end_q && free_q && outer_last_q;
  assign level_o        = level;
  assign ready_o        = state_q == StIdle || (last_o && !first_q);

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:    if (start_i) state_d = StPrepare;
      StPrepare: state_d = StRun;
      StRun:     if (last_o) state_d = start_i ? StPrepare : StIdle;
      default:   state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) state_q <= StIdle;
    else state_q <= state_d;
  end

  // A counter steps at its level; those inside, which are all 0, start over.
  logic [Levels-1:0] steps, reloads;

  always_comb begin
    steps = step_o ? level : '0;
    for (int unsigned l = 0; l < Levels; l++) begin
      reloads[l] = step_o && &(zero_q | ((Levels'(1) << l) - 1'b1));
    end
  end

  // While ready_o, whatever comes is loaded: it counts for nothing until start_i.
  logic [Levels-1:0] zero_d;

  always_comb begin
    for (int unsigned l = 0; l < Levels; l++) begin
      zero_d[l] = ready_o    ? start_bounds_i[l] == '0
                : steps[l]   ? left_q[l] == 16'd1
                : reloads[l] ? bound_zero_q[l] : zero_q[l];
    end
  end

  always_ff @(posedge clk_i) begin
    zero_q     <= zero_d;
    tile_end_q <= &zero_d[8:Tile];
    if (ready_o) bound_zero_q <= zero_d;
    for (int unsigned l = 0; l < Levels; l++) begin
      if (ready_o) left_q[l] <= start_bounds_i[l];
      else if (steps[l]) left_q[l] <= left_q[l] - 1'b1;
      else if (reloads[l]) left_q[l] <= bounds_i[l];
    end
  end

  // What happens at the end of this tile; used two cycles after the counters moved at the earliest.
  always_ff @(posedge clk_i) begin
    outer_last_q <= &zero_q[Tile-1:0];
    for (int unsigned l = 0; l < Tile; l++) begin
      outer_q[l] <= !zero_q[l] && (&(zero_q[Tile-1:0] | ((Tile'(2) << l) - 1'b1)));
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == StPrepare) begin
      first_q        <= 1'b1;
      tile_first_q   <= 1'b1;
      first_row_q    <= 1'b1;
      window_first_q <= 1'b1;
    end else if (step_o) begin
      first_q        <= 1'b0;
      tile_first_q   <= tile_end_q;
      first_row_q    <= tile_end_q || (first_row_q && !level[6]);
      if (tile_end_q) window_first_q <= window_last_o;
    end
  end

  // Cycles until another tile may end, less one.
  logic [DrainBits-1:0] wait_q, wait_d, drained;
  u3_t words;

  always_comb begin
    words   = group_last_o ? words_last_i : words_i;
    drained = PixelLanes == 1 && words == 3'd1 ? DrainBits'(1)
                                               : (DrainBits'(words) << LaneLog2) - 1'b1;
    wait_d  = wait_q;
    if (step_o && tile_end_q) wait_d = drain_i ? drained : '0;
    else if (wait_q != '0) wait_d = wait_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wait_q <= '0;
      free_q <= 1'b1;
    end else begin
      wait_q <= wait_d;
      free_q <= wait_d == '0;
    end
  end

endmodule
