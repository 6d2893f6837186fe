// SPDX-License-Identifier: Apache-2.0
//
// Executes STORE as docs/isa.md defines it.
//
//   instr --+--> run_commands ------------------------------------> write master's commands
//           +--> word_walker --> act read --> words, a fifo ------> write master's data
//
// Handshake: the stream contract on instructions, act reads, commands and data. act answers reads
// in order, any number of cycles later, with act_valid_i, which has no ready: never more words are
// asked for than there is room for. Read addresses wrap; act_read_o says in which bank a word
// lies. Up to Jobs instructions wait for their responses. A word every cycle if act answers within
// Words - 2 cycles.
// done_o: one cycle for each instruction, in order, when the AXI response to its last write has
// come; signal_to_o with it.
// Errors: failure_o stays until reset. From then on done_o stays low. An instruction with
// ErrorAddress has written at most its runs before the one that leaves the buffer.
// Relies on buffers, offsets and strides of whole AXI words, which is checked.

module store
  import cnnaccel_pkg::*;
#(
  parameter int unsigned Jobs  = 4,  // a power of two
  parameter int unsigned Words = 16  // of act on their way, a power of two
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic         entry_valid_i,    // an instruction is offered
  output logic         entry_ready_o,    // it is taken
  input  store_entry_t entry_i,          // with its tokens
  input  buffer_t      buffers_i    [4], // by base_e

  output logic       act_read_valid_o,  // a read of act is offered
  input  logic       act_read_ready_i,  // it is taken
  output act_place_t act_read_o,        // of which word
  input  logic       act_valid_i,       // a word is there: never refused
  input  word_t      act_i,             // words of the reads, in order

  output logic           cmd_valid_o,   // a command is offered
  input  logic           cmd_ready_i,   // it is taken
  output write_command_t cmd_o,         // a run
  output logic           data_valid_o,  // a word is offered
  input  logic           data_ready_i,  // it is taken
  output word_t          data_o,        // words of the commands, in order
  input  logic           write_done_i,  // one cycle: an instruction's last command is written
  input  logic           write_error_i, // one cycle: a response was an error

  output logic     done_o,       // one cycle
  output u3_t      signal_to_o,  // with done_o: the units that get a token
  output logic     busy_o,       // an instruction is taken and not done
  output failure_t failure_o     // until reset
);

  localparam int unsigned PlacedBits = $clog2(Words + 1);

  typedef struct packed {
    logic [31:0] index;
    u3_t         signal_to;
  } job_t;

  // -- Instructions -----------------------------------------------------------------------------

  logic commands_ready, jobs_ready, job_valid, range_error;
  logic reading_q, last;
  logic run_last;
  read_command_t run;
  u32_t range_index, error_index_q;
  error_e error_q;
  job_t job;
  u16_t run_words_q, distance_q;
  s20_t stride_q;
  u2_t interleave_q;

  assign entry_ready_o = commands_ready && jobs_ready && !reading_q;
  wire accept = entry_valid_i && entry_ready_o;
  wire [31:0] run_bytes = (32'(entry_i.instr.run_words) + 32'd1) * 32'(InputLanes);

  run_commands u_commands (
    .clk_i,
    .rst_ni,
    .valid_i      (entry_valid_i && jobs_ready && !reading_q),
    .ready_o      (commands_ready),
    .offset_i     (entry_i.instr.dram_offset),
    .advance_i    (entry_i.advance),
    .stride_i     (entry_i.instr.dram_stride),
    .runs_i       (entry_i.instr.runs),
    .bytes_i      (run_bytes),
    .whole_words_i(1'b1),
    .index_i      (entry_i.index),
    .buffer_i     (buffers_i[entry_i.instr.base]),
    .cmd_valid_o,
    .cmd_ready_i,
    .cmd_o        (run),
    .cmd_last_o   (run_last),
    .error_o      (range_error),
    .error_index_o(range_index)
  );

  assign cmd_o = '{address: run.address, words: run.bytes >> OffsetBits, last: run_last};

  fifo #(
    .Width($bits(job_t)),
    .Depth(Jobs)
  ) u_jobs (
    .clk_i,
    .rst_ni,
    .valid_i(accept),
    .ready_o(jobs_ready),
    .data_i ({entry_i.index, entry_i.instr.signal_to}),
    .valid_o(job_valid),
    .ready_i(write_done_i),
    .data_o (job)
  );

  // -- Words ------------------------------------------------------------------------------------

  // Words asked for and not yet given to the write master have their place in the fifo.
  logic [PlacedBits-1:0] placed_q;
  logic words_ready;
  u20_t address;

  wire asked = act_read_valid_o && act_read_ready_i;
  wire given = data_valid_o && data_ready_i;

  word_walker u_walker (
    .clk_i,
    .start_i      (!reading_q),
    .address_i    (entry_i.instr.address),
    .inner_i      (5'd1),
    .middle_i     (reading_q ? run_words_q : entry_i.instr.run_words),
    .outer_i      (entry_i.instr.runs),
    .inner_step_i ('0),
    .middle_step_i(distance_q),
    .outer_step_i (stride_q),
    .next_i       (asked),
    .address_o    (address),
    .last_o       (last)
  );

  fifo #(
    .Width(WordBits),
    .Depth(Words)
  ) u_words (
    .clk_i,
    .rst_ni,
    .valid_i(act_valid_i),
    .ready_o(words_ready),
    .data_i (act_i),
    .valid_o(data_valid_o),
    .ready_i(data_ready_i),
    .data_o (data_o)
  );

  assign act_read_valid_o = reading_q && placed_q != PlacedBits'(Words);
  assign act_read_o       = '{address: act_address_t'(address), log2_l: interleave_q};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      placed_q  <= '0;
    end else begin
      reading_q <= accept || (reading_q && !(asked && last));
      placed_q  <= placed_q + PlacedBits'(asked) - PlacedBits'(given);
    end
  end

  // What is offered, so that none of this waits for its tokens.
  always_ff @(posedge clk_i) begin
    if (!reading_q) begin
      run_words_q  <= entry_i.instr.run_words;
      distance_q   <= entry_i.instr.distance;
      stride_q     <= entry_i.instr.stride;
      interleave_q <= entry_i.instr.interleave;
    end
  end

  // -- Done and errors --------------------------------------------------------------------------

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      done_o  <= 1'b0;
      error_q <= ErrorNone;
    end else begin
      done_o <= write_done_i && !write_error_i && error_q == ErrorNone;
      if (error_q == ErrorNone) begin
        if (write_error_i) error_q <= ErrorWrite;
        else if (range_error) error_q <= ErrorAddress;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    signal_to_o <= job.signal_to;
    if (error_q == ErrorNone) error_index_q <= write_error_i ? job.index : range_index;
  end

  assign busy_o    = job_valid;
  assign failure_o = '{code: error_q, index: error_index_q};

  // Addresses wrap.
  logic unused_bits;
  assign unused_bits = ^{entry_i, address};

`ifndef SYNTHESIS
  words_have_room :
  assert property (@(posedge clk_i) disable iff (!rst_ni) act_valid_i |-> words_ready)
  else $error("store: a word that was not asked for");
`else
  logic unused_ready;
  assign unused_ready = words_ready;
`endif

endmodule
