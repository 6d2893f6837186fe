// SPDX-License-Identifier: Apache-2.0
//
// Holds the sums of a tile while the next one is computed, and hands them out word by word.
//
//   for g in 0 .. words - 1, for lane p in 0 .. P - 1:     one word per cycle, C sums
//     slot p / lanes_per_slot of group g goes to address + slot*lane_distance + g*plane
//     if column + slot*lane_columns < columns, with the last lane of the slot
//
// A tile that is not drained is one word without write, which carries `done`.
//
// Handshake: take_i with sums_i and tile_i; the controller sees to it that the words of the tile
// before have left. Latency: DrainLatency, 2 cycles, from take_i to the first word.

module drain
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic  [PixelLanes-1:0] take_i,                           // all alike, for their lanes
  input sum_t                   sum_i [PixelLanes][OutputLanes],  // by lane and output channel
  input tile_t                  tile_i,                           // where they go

  output par_address_t par_o,              // of the word that comes in the next cycle
  output drained_t     word_o,             // of a lane and a group: rank 1
  output sum_t         sum_o [InputLanes]  // of word_o, by channel
);

  localparam bank_t LastLane = bank_t'(PixelLanes - 1);

  logic busy_q;
  tile_t tile_q;
  sum_t sum_q[PixelLanes][OutputLanes];
  bank_t lane_q;
  group_t group_q;
  act_address_t address_q, plane_q;  // of the slot, of slot 0
  out_column_t column_q;

  bank_t lane_mask, slot;  // of the slot's lanes
  act_address_t next_plane;
  logic first_lane, last_lane, last_word, in_output;

  assign lane_mask     = (bank_t'(1) << tile_q.log2_lanes_per_slot) - 1'b1;
  assign slot       = lane_q >> tile_q.log2_lanes_per_slot;
  assign first_lane = (lane_q & lane_mask) == '0;
  assign last_lane  = (lane_q & lane_mask) == lane_mask;
  assign last_word  = !tile_q.drain
                   || (lane_q == LastLane && 3'(group_q) == tile_q.words - 3'd1);
  assign next_plane = plane_q + tile_q.plane;
  assign in_output     = column_q < $signed({1'b0, tile_q.columns});
  assign par_o      = tile_q.par;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) busy_q <= 1'b0;
    else busy_q <= take_i[0] || (busy_q && !last_word);
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < PixelLanes; p++) begin
      if (take_i[p]) sum_q[p] <= sum_i[p];
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_i[0]) begin
      tile_q    <= tile_i;
      lane_q    <= '0;
      group_q   <= '0;
      address_q <= tile_i.address;
      plane_q   <= tile_i.address;
      column_q  <= tile_i.column;
    end else if (lane_q == LastLane) begin
      lane_q    <= '0;
      group_q   <= group_q + 1'b1;
      address_q <= next_plane;
      plane_q   <= next_plane;
      column_q  <= tile_q.column;
    end else begin
      lane_q <= lane_q + 1'b1;
      if (last_lane) begin
        address_q <= address_q + tile_q.lane_distance;
        column_q  <= column_q + 18'(tile_q.lane_columns);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    word_o <= '{
        valid: busy_q,
        done: last_word && tile_q.done,
        write: tile_q.drain && tile_q.window_last && last_lane && in_output,
        pool_first: tile_q.window_first && first_lane,
        slot: slot,
        group: group_q,
        address: address_q,
        log2_l: tile_q.log2_l,
        par: tile_q.par,
        low: tile_q.low,
        high: tile_q.high
    };
    if (!rst_ni) word_o.valid <= 1'b0;
  end

  for (genvar c = 0; c < InputLanes; c++) begin : gen_channel
    sum_t sums[GroupWords];
    for (genvar g = 0; g < GroupWords; g++) begin : gen_group
      assign sums[g] = sum_q[lane_q][g*InputLanes+c];
    end
    always_ff @(posedge clk_i) sum_o[c] <= sums[group_q];
  end

`ifndef SYNTHESIS
  words_have_left :
  assert property (@(posedge clk_i) disable iff (!rst_ni) take_i[0] |-> !busy_q || last_word)
  else $error("drain: a tile ends before the words of the one before have left");
`endif

endmodule
