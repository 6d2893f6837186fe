// SPDX-License-Identifier: Apache-2.0
//
// The DRAM side of `load`: what a run of each opcode takes, given to `run_commands`.
//
//   LOAD_ACT  run_words * C    LOAD_WGT  run_words * C*K    LOAD_PAR  run_words * 7*K
//   UNFOLD    row_pixels * pixel_bytes, from any byte on
//
// Handshake, latency and errors: those of `run_commands`.

module load_commands
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic        entry_valid_i,    // an instruction is offered
  output logic        entry_ready_o,    // it is taken
  input  load_entry_t entry_i,          // what its runs are
  input  buffer_t     buffers_i    [4], // by base_e

  output logic          cmd_valid_o,  // a command is offered
  input  logic          cmd_ready_i,  // it is taken
  output read_command_t cmd_o,        // a run

  output logic error_o,       // until reset
  output u32_t error_index_o  // of the instruction that has it
);

  logic unused_last;
  u32_t run_bytes;

  // Sums and shifts: a product would take a DSP.
  wire [31:0] run_words = 32'(entry_i.instr.run_words) + 32'd1;
  wire [31:0] row_pixels = 32'(entry_i.instr.row_pixels);
  wire [31:0] row_bytes  = (entry_i.instr.pixel_bytes[0] ? row_pixels : '0)
                         + (entry_i.instr.pixel_bytes[1] ? row_pixels << 1 : '0)
                         + (entry_i.instr.pixel_bytes[2] ? row_pixels << 2 : '0);

  always_comb begin
    unique case (entry_i.instr.opcode)
      OpcodeUnfold:  run_bytes = row_bytes;
      OpcodeLoadWgt: run_bytes = run_words << $clog2(OutputLanes * InputLanes);
      OpcodeLoadPar: run_bytes = ((run_words << 3) - run_words) << $clog2(OutputLanes);
      default:       run_bytes = run_words << OffsetBits;
    endcase
  end

  if ($bits(par_t) != 8 * 7) begin : gen_check
    $error("load_commands: a channel's parameters are 7 bytes, not %0d bits", $bits(par_t));
  end

  run_commands u_commands (
    .clk_i,
    .rst_ni,
    .valid_i      (entry_valid_i),
    .ready_o      (entry_ready_o),
    .offset_i     (entry_i.instr.dram_offset),
    .advance_i    (entry_i.advance),
    .stride_i     (entry_i.instr.dram_stride),
    .runs_i       (entry_i.instr.runs),
    .bytes_i      (run_bytes),
    .whole_words_i(entry_i.instr.opcode != OpcodeUnfold),
    .index_i      (entry_i.index),
    .buffer_i     (buffers_i[entry_i.instr.base]),
    .cmd_valid_o,
    .cmd_ready_i,
    .cmd_o,
    .cmd_last_o   (unused_last),
    .error_o,
    .error_index_o
  );

  // The scratchpad side is the words'.
  logic unused_bits;
  assign unused_bits = ^entry_i;

endmodule
