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
  localparam int unsigned OffsetBits = $clog2(InputLanes);  // of a byte in a word
  localparam int unsigned ActBits = $clog2(ActWords);
  localparam int unsigned WgtBits = $clog2(WgtWords);
  localparam int unsigned ParBits = $clog2(ParGroups);
  localparam int unsigned LaneLog2 = $clog2(PixelLanes);
  localparam int unsigned BankBits = LaneLog2 == 0 ? 1 : LaneLog2;
  localparam int unsigned RowBits = ActBits - LaneLog2;
  localparam int unsigned GroupBits = GroupWords == 1 ? 1 : $clog2(GroupWords);
  localparam int unsigned SumBits = 32;
  localparam int unsigned BiasedBits = SumBits + 1;
  localparam int unsigned ResultBits = 9;  // holds int8 and uint8
  localparam int unsigned Levels = 9;

  // Packed pixel lanes share a product; with one lane there is nothing to share.
  localparam bit Packed = DspPacking && PixelLanes > 1;
  localparam int unsigned PackedLanes = Packed ? 2 : 1;
  localparam int unsigned OperandBits = Packed ? 25 : 9;

  // -- Latencies, in cycles ---------------------------------------------------------------------

  // Of modules, and what they add up to.
  localparam int unsigned ReadLatency = 2;  // of every scratchpad: memory, output register
  localparam int unsigned WalkerLatency = 1;
  localparam int unsigned LaneAddressLatency = 3;
  localparam int unsigned LaneOperandLatency = 2;
  localparam int unsigned ProductLatency = 2;  // M and P of a DSP
  localparam int unsigned TreeLatency = $clog2(InputLanes);
  localparam int unsigned AccumulatorLatency = 1;
  localparam int unsigned DotProductLatency = ProductLatency + TreeLatency + AccumulatorLatency;
  localparam int unsigned ArrayLatency = 1 + DotProductLatency;  // lanes packed, weights chosen
  localparam int unsigned DrainLatency = 2;  // to the first word
  localparam int unsigned RequantizeLatency = 10;
  localparam int unsigned PoolingLatency = 1;
  localparam int unsigned WriteBackLatency = ReadLatency + RequantizeLatency + PoolingLatency;

  // Ranks: registers behind the loop controller's counters, which are rank 0.
  localparam int unsigned StepRank = 1;
  localparam int unsigned WalkerRank = StepRank + WalkerLatency;
  localparam int unsigned RowRank = WalkerRank + LaneAddressLatency;
  localparam int unsigned WordRank = RowRank + ReadLatency;
  localparam int unsigned OperandRank = WordRank + LaneOperandLatency;
  localparam int unsigned SumRank = OperandRank + ArrayLatency;

  // From DRAM.
  localparam int unsigned SkidLatency = 1;
  localparam int unsigned RunCommandsLatency = 3;
  localparam int unsigned BurstIssueLatency = 2;  // command to AR or AW
  localparam int unsigned ReadIssueLatency = SkidLatency + BurstIssueLatency;  // of axi_masters
  localparam int unsigned ReadBeatLatency = SkidLatency;  // R to beat
  localparam int unsigned AssemblerLatency = 1;
  localparam int unsigned LoadLatency = RunCommandsLatency + ReadIssueLatency + ReadBeatLatency
      + SkidLatency + AssemblerLatency + SkidLatency;  // beats wait in one, words in one

  // -- Words and addresses ----------------------------------------------------------------------

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

  typedef logic [OutputLanes*WordBits-1:0] wgt_word_t;  // byte k*C + c: channel c of output k
  typedef par_t [OutputLanes-1:0] par_word_t;
  typedef logic [AddressBits-1:0] axi_address_t;
  typedef logic [OffsetBits-1:0] offset_t;

  // -- Between the host and the engine ----------------------------------------------------------

  // What the host asks for.
  typedef struct packed {
    axi_address_t address;        // of the program: whole AXI words
    u32_t         once_bytes;     // whole instructions, as body_bytes
    u32_t         body_bytes;
    u32_t         count;          // iterations of body
    u32_t         input_stride;   // bytes that an iteration adds to offsets in INPUT
    u32_t         output_stride;
  } request_t;

  // A buffer in DRAM; of an array of them, that of each base_e.
  typedef struct packed {
    axi_address_t base;
    u32_t         bytes;
  } buffer_t;

  // The first error, and which instruction of the program had it. `index` means nothing without.
  typedef struct packed {
    error_e code;
    u32_t   index;
  } failure_t;

  // How far a run is.
  typedef struct packed {
    logic     busy;
    logic     done;     // until the next start or reset
    logic     failed;   // until a reset, as `failure`
    failure_t failure;
  } status_t;

  // What the units do and wait for, by unit where there are three.
  typedef struct packed {
    logic       step;            // of the array
    logic [2:0] valid;           // an instruction is next
    u3_t [2:0]  missing;         // the givers whose tokens it misses
    logic [2:0] ready;           // to take it, but for tokens
    logic [2:0] busy;
    logic       fetch_still;     // nothing is on its way to a queue
    logic       fetch_finished;  // nor will be
  } activity_t;

  // -- Instructions in their queues -------------------------------------------------------------

  // With its index in the program, and the bytes that the iteration adds to dram_offset: all ones
  // if 32 bits hold no more.
  typedef struct packed {
    u32_t  index;
    u32_t  advance;
    load_t instr;
  } load_entry_t;

  typedef struct packed {
    u32_t     index;
    compute_t instr;
  } compute_entry_t;

  typedef struct packed {
    u32_t   index;
    u32_t   advance;
    store_t instr;
  } store_entry_t;

  // -- Between the units and the AXI masters ----------------------------------------------------

  // Bytes to read, at least one.
  typedef struct packed {
    axi_address_t address;
    u32_t         bytes;
  } read_command_t;

  // A word of those that hold them, in order.
  typedef struct packed {
    logic    error;   // AXI's response was one
    logic    last;    // of its command
    offset_t offset;  // of the command's first byte in its first word
    word_t   data;
  } read_beat_t;

  // Words to write, at least one.
  typedef struct packed {
    axi_address_t address;  // of a word
    u32_t         words;
    logic         last;     // its response, and all before, are to be told
  } write_command_t;

  // -- Between the units and the scratchpads ----------------------------------------------------

  // A word of act, in a region of interleave 1 << log2_l.
  typedef struct packed {
    act_address_t address;
    u2_t          log2_l;
  } act_place_t;

  typedef struct packed {
    act_place_t place;
    word_t      data;
  } act_write_t;

  typedef struct packed {
    bank_t bank;
    row_t  row;
    word_t data;
  } bank_write_t;

  typedef struct packed {
    wgt_address_t address;
    wgt_word_t    data;
  } wgt_write_t;

  typedef struct packed {
    par_address_t address;
    par_word_t    data;
  } par_write_t;

  // Three reads of par, each of one kind of parameter of K channels.
  typedef struct packed {
    par_address_t bias;
    par_address_t multiplier;
    par_address_t shift;
  } par_addresses_t;

  typedef struct packed {
    s32_t [OutputLanes-1:0] bias;
    u16_t [OutputLanes-1:0] multiplier;
    u8_t [OutputLanes-1:0]  shift;
  } par_channels_t;

  // -- Within compute ---------------------------------------------------------------------------

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
