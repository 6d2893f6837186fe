// SPDX-License-Identifier: Apache-2.0
//
// Constants and types of one engine: what params.svh renders, and what follows from it.
//
//   word A of act, in a region of interleave L = 1 << log2_l, lies in
//     bank  (A / L) mod P
//     row   (A / L) / P * L + A mod L

package cnnaccel_pkg;

  `include "params.svh"

  localparam int unsigned WordBits = 8 * InputLanes;  // of act and AXI
  localparam int unsigned GroupWords = OutputLanes / InputLanes;  // words of a pixel and group co
  localparam int unsigned ActBits = $clog2(ActWords);
  localparam int unsigned WgtBits = $clog2(WgtWords);
  localparam int unsigned ParBits = $clog2(ParGroups);
  localparam int unsigned LaneLog2 = $clog2(PixelLanes);
  localparam int unsigned BankBits = LaneLog2 == 0 ? 1 : LaneLog2;
  localparam int unsigned RowBits = ActBits - LaneLog2;
  localparam int unsigned GroupBits = GroupWords == 1 ? 1 : $clog2(GroupWords);
  localparam int unsigned ReadLatency = 2;  // of every scratchpad: memory, output register
  localparam int unsigned SumBits = 32;
  localparam int unsigned BiasedBits = SumBits + 1;
  localparam int unsigned ResultBits = 9;  // holds int8 and uint8
  localparam int unsigned Levels = 9;

  // Packed pixel lanes share a product; with one lane there is nothing to share.
  localparam bit Packed = DspPacking && PixelLanes > 1;
  localparam int unsigned PackedLanes = Packed ? 2 : 1;
  localparam int unsigned OperandBits = Packed ? 25 : 9;

  typedef logic [ActBits-1:0] act_address_t;
  typedef logic [WgtBits-1:0] wgt_address_t;
  typedef logic [ParBits-1:0] par_address_t;
  typedef logic [BankBits-1:0] bank_t;
  typedef logic [RowBits-1:0] row_t;
  typedef logic [WordBits-1:0] word_t;
  typedef logic [GroupBits-1:0] group_t;
  typedef logic signed [SumBits-1:0] sum_t;
  typedef logic signed [BiasedBits-1:0] biased_t;
  typedef logic signed [ResultBits-1:0] result_t;
  typedef logic signed [7:0] weight_t;
  typedef logic signed [15:0] product_t;
  typedef logic signed [OperandBits-1:0] operand_t;  // of PackedLanes lanes
  typedef logic signed [17:0] out_column_t;  // of the output, beyond it too

  // A step on its way down the array.
  typedef struct packed {
    logic valid;
    logic first;      // of its instruction
    logic load;       // the sums start with this step
    logic last;       // of its tile
    logic max;        // opcode MAX
    logic is_signed;  // act is int8
  } step_t;

  // What the drain needs to know of a tile.
  typedef struct packed {
    logic         drain;                // 0: nothing to write, but `done` is to be told in order
    logic         done;                 // the last tile of its instruction
    logic         window_first;         // of a pooling window
    logic         window_last;
    out_column_t  column;               // of slot 0
    act_address_t address;              // of slot 0
    par_address_t par;
    u3_t          words;
    u2_t          log2_lanes_per_slot;
    u2_t          log2_l;
    act_address_t lane_distance;
    u4_t          lane_columns;
    u17_t         columns;              // of the output
    act_address_t plane;
    result_t      low;
    result_t      high;
  } tile_t;

  // A word of act on its way from the drain register to memory.
  typedef struct packed {
    logic         valid;       // `done` counts
    logic         done;        // the last word of its instruction
    logic         write;       // to act, once pooled
    logic         pool_first;  // the pooling register starts with this word
    bank_t        slot;
    group_t       group;       // which C of the K channels
    act_address_t address;
    u2_t          log2_l;
    par_address_t par;
    result_t      low;
    result_t      high;
  } drained_t;

  function automatic logic is_opcode(input logic [4:0] code);
    return opcode_e'(code) inside {OpcodeLoadAct, OpcodeLoadWgt, OpcodeLoadPar, OpcodeUnfold,
                                   OpcodeMac, OpcodeMax, OpcodeStore};
  endfunction

  function automatic bank_t bank_of(act_address_t address, u2_t log2_l);
    return PixelLanes == 1 ? '0 : bank_t'(address >> log2_l);
  endfunction

  function automatic row_t row_of(act_address_t address, u2_t log2_l);
    act_address_t low_bits = (act_address_t'(1) << log2_l) - 1'b1;
    return row_t'(((address >> LaneLog2) & ~low_bits) | (address & low_bits));
  endfunction

endpackage
