// SPDX-License-Identifier: Apache-2.0
// Rendered for pynq_z1 from cnnaccel/hardware.py and cnnaccel/isa/instructions.py: do not edit.
// One package includes this file. docs/isa.md says what the fields mean.

localparam logic [31:0] Magic = 32'h414e4e43;
localparam logic [31:0] FormatVersion = 32'd2;
localparam logic [63:0] Digest = 64'h131c0b95f91bf7f2;

localparam int unsigned PixelLanes = 4;  // P
localparam int unsigned InputLanes = 8;  // C, bytes of a word and of the AXI data bus
localparam int unsigned OutputLanes = 8;  // K
localparam int unsigned ActWords = 32768;  // of C bytes
localparam int unsigned WgtWords = 2048;  // of C*K bytes
localparam int unsigned ParGroups = 512;  // of K channels
localparam int unsigned AddressBits = 32;  // of an AXI address
localparam int unsigned ArrayDsp = 128;  // products of the array in DSPs, others in LUTs
localparam int unsigned TokenBits = 8;  // of a token counter
localparam int unsigned UnfoldBytes = 64;  // most bytes under a kernel row
localparam bit DspPacking = 1'b1;

// Cycles, as cnnaccel/isa/latency.py has them; the modules that they are of check them.
localparam int unsigned FirstStepCycles = 2;  // taken to first step
localparam int unsigned StepToSumCycles = 16;  // step to its sums
localparam int unsigned SumToWriteCycles = 15;  // sums to the first word at act
localparam int unsigned ReadAheadCycles = 7;  // taken before the done of the one before
localparam int unsigned LoadCycles = 10;  // taken to the first word at act, but for memory's
localparam int unsigned StuckCycles = 64;  // until units wait for one another

// Indices into wait_for and signal_to, and into the upper three bits of an opcode.
localparam int unsigned UnitLoad = 0;
localparam int unsigned UnitCompute = 1;
localparam int unsigned UnitStore = 2;

typedef enum logic [4:0] {
  OpcodeLoadAct = 5'd4,
  OpcodeLoadWgt = 5'd5,
  OpcodeLoadPar = 5'd6,
  OpcodeUnfold = 5'd7,
  OpcodeMac = 5'd8,
  OpcodeMax = 5'd9,
  OpcodeStore = 5'd16
} opcode_e;

typedef enum logic [1:0] {
  BaseWeights = 2'd0,
  BaseInput = 2'd1,
  BaseOutput = 2'd2,
  BaseScratch = 2'd3
} base_e;

typedef enum logic [2:0] {
  ErrorNone = 3'd0,
  ErrorOpcode = 3'd1,
  ErrorAddress = 3'd2,
  ErrorRead = 3'd3,
  ErrorWrite = 3'd4,
  ErrorToken = 3'd5
} error_e;

typedef logic signed [8:0] s9_t;
typedef logic signed [11:0] s12_t;
typedef logic signed [15:0] s16_t;
typedef logic signed [16:0] s17_t;
typedef logic signed [19:0] s20_t;
typedef logic signed [31:0] s32_t;
typedef logic [1:0] u2_t;
typedef logic [2:0] u3_t;
typedef logic [3:0] u4_t;
typedef logic [4:0] u5_t;
typedef logic [7:0] u8_t;
typedef logic [9:0] u10_t;
typedef logic [11:0] u12_t;
typedef logic [15:0] u16_t;
typedef logic [16:0] u17_t;
typedef logic [19:0] u20_t;
typedef logic [31:0] u32_t;

// The first member is the highest bits; bit 0 is bit 0 of the first byte in memory.

// 1024 bits.
typedef struct packed {
  logic [55:0] reserved;
  s9_t high;
  s9_t low;
  u2_t lanes_per_slot;  // log2
  u20_t out_plane;
  u3_t words_last;
  u3_t words;
  u4_t out_lane_columns;
  u16_t out_lane_distance;
  u17_t out_w;
  u12_t in_h;
  u16_t in_w;
  u16_t lane_distance;
  s17_t [3:0] ox_jumps;
  s20_t [3:0] o_jumps;
  u20_t o_init;
  logic par_co;
  u10_t par_init;
  s16_t w_co;
  u16_t w_rewind;
  logic w_step;
  u16_t w_init;
  s17_t [7:0] x_jumps;
  s17_t x_init;
  s12_t [6:0] y_jumps;
  s12_t y_init;
  s20_t [8:0] a_jumps;
  s20_t a_init;
  u16_t [8:0] bounds;  // value - 1
  u2_t interleave_out;  // log2
  u2_t interleave_in;  // log2
  logic signed_rest;
  logic signed_first;
  logic wait_drain;
  logic drain;
  logic clear;
  u3_t signal_to;
  u3_t wait_for;
  opcode_e opcode;
} compute_t;

// 512 bits.
typedef struct packed {
  logic [278:0] reserved;
  u20_t plane;
  u5_t column_words;
  u4_t pad_left;
  u4_t stride_x;
  u5_t kernel_w;
  u12_t columns;
  u12_t row_pixels;
  u3_t pixel_bytes;
  s20_t stride;
  u16_t distance;
  u20_t address;
  u16_t runs;  // value - 1
  u16_t run_words;  // value - 1
  s32_t dram_stride;
  u32_t dram_offset;
  u2_t interleave;  // log2
  logic advances;
  base_e base;
  u3_t signal_to;
  u3_t wait_for;
  opcode_e opcode;
} load_t;

// 512 bits.
typedef struct packed {
  logic [343:0] reserved;
  s20_t stride;
  u16_t distance;
  u20_t address;
  u16_t runs;  // value - 1
  u16_t run_words;  // value - 1
  s32_t dram_stride;
  u32_t dram_offset;
  u2_t interleave;  // log2
  logic advances;
  base_e base;
  u3_t signal_to;
  u3_t wait_for;
  opcode_e opcode;
} store_t;

// 56 bits.
typedef struct packed {
  u8_t shift;
  u16_t multiplier;
  s32_t bias;
} par_t;

// Byte offsets of the registers; of a 64-bit register the low word.
localparam logic [7:0] RegId = 8'h00;
localparam logic [7:0] RegVersion = 8'h04;
localparam logic [7:0] RegDigest = 8'h08;
localparam logic [7:0] RegControl = 8'h10;
localparam logic [7:0] RegStatus = 8'h14;
localparam logic [7:0] RegError = 8'h18;
localparam logic [7:0] RegFailingInstruction = 8'h1c;
localparam logic [7:0] RegInterruptEnable = 8'h20;
localparam logic [7:0] RegInterruptStatus = 8'h24;
localparam logic [7:0] RegProgramAddress = 8'h28;
localparam logic [7:0] RegOnceBytes = 8'h30;
localparam logic [7:0] RegBodyBytes = 8'h34;
localparam logic [7:0] RegCount = 8'h38;
localparam logic [7:0] RegIteration = 8'h3c;
localparam logic [7:0] RegWeightsAddress = 8'h40;
localparam logic [7:0] RegInputAddress = 8'h48;
localparam logic [7:0] RegOutputAddress = 8'h50;
localparam logic [7:0] RegScratchAddress = 8'h58;
localparam logic [7:0] RegWeightsBytes = 8'h60;
localparam logic [7:0] RegInputBytes = 8'h64;
localparam logic [7:0] RegOutputBytes = 8'h68;
localparam logic [7:0] RegScratchBytes = 8'h6c;
localparam logic [7:0] RegInputStride = 8'h70;
localparam logic [7:0] RegOutputStride = 8'h74;
localparam logic [7:0] RegCycles = 8'h78;
localparam logic [7:0] RegSteps = 8'h80;
localparam logic [7:0] RegComputeWaitsLoad = 8'h88;
localparam logic [7:0] RegComputeWaitsStore = 8'h90;
localparam logic [7:0] RegLoadBusy = 8'h98;
localparam logic [7:0] RegStoreBusy = 8'ha0;
localparam logic [7:0] RegReadBytes = 8'ha8;
localparam logic [7:0] RegWrittenBytes = 8'hb0;
localparam logic [7:0] RegWaiting = 8'hb8;

// Bits of the registers.
localparam int unsigned ControlStart = 0;
localparam int unsigned ControlReset = 1;
localparam int unsigned StatusBusy = 0;
localparam int unsigned StatusDone = 1;
localparam int unsigned StatusFailed = 2;
localparam int unsigned InterruptEnableDone = 0;
localparam int unsigned InterruptEnableFailed = 1;
localparam int unsigned InterruptStatusDone = 0;
localparam int unsigned InterruptStatusFailed = 1;
localparam int unsigned WaitingFetchDram = 0;
localparam int unsigned WaitingFetchQueue = 1;
localparam int unsigned WaitingLoadBusy = 2;
localparam int unsigned WaitingLoadDram = 3;
localparam int unsigned WaitingLoadCompute = 4;
localparam int unsigned WaitingLoadStore = 5;
localparam int unsigned WaitingComputeBusy = 6;
localparam int unsigned WaitingComputeLoad = 7;
localparam int unsigned WaitingComputeStore = 8;
localparam int unsigned WaitingStoreBusy = 9;
localparam int unsigned WaitingStoreDram = 10;
localparam int unsigned WaitingStoreLoad = 11;
localparam int unsigned WaitingStoreCompute = 12;
localparam int unsigned WaitingEndDram = 13;
