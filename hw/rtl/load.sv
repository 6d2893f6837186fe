// SPDX-License-Identifier: Apache-2.0
//
// Executes LOAD_ACT, LOAD_WGT, LOAD_PAR and UNFOLD as docs/isa.md defines them.
//
//   instr --+--> run_commands --> read master ...
//           +--> jobs --> word_walker -----------------> address --+--> load_end --> act, done
//            ... beats --+--> word_assembler --> word -------------+--> wgt
//                        +--> unfold ----------> word -------------+--> par
//
// Handshake: the stream contract on instructions, commands, beats and write ports. An instruction
// is taken once its tokens are; up to Jobs of them are under way, so that the reads of the next
// follow those of the last without a gap. Write addresses wrap; act_log2_l_o says in which bank a
// word of act lies. A written word is there for whoever reads in a later cycle than done_o.
// done_o: one cycle for each instruction, in order, after its last write was taken; signal_to_o
// with it. Latency: memory's + 10 cycles from instruction to the first write, 9 for wgt and par; 1
// from the last to done_o, or 2.
// Errors: error_o stays other than ErrorNone until reset; error_index_o names the instruction. From
// then on done_o stays low; instructions under way still take their beats, but nothing is read for
// an instruction after one with ErrorAddress.
// Relies on buffers, offsets and strides of whole AXI words, which is checked; UNFOLD's may be any.

module load
  import cnnaccel_pkg::*;
#(
  parameter  int unsigned Jobs       = 4,                  // a power of two
  localparam int unsigned OffsetBits = $clog2(InputLanes)
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic                    instr_valid_i,
  output logic                    instr_ready_o,
  input  load_t                   instr_i,
  input  logic  [           31:0] instr_index_i,       // in the program, for error_index_o
  // The iteration adds so many bytes to dram_offset; all ones if 32 bits hold no more.
  input  logic  [           31:0] instr_advance_i,
  input  logic  [AddressBits-1:0] base_i         [4],  // of the buffers, by base_e
  input  logic  [           31:0] size_i         [4],  // bytes

  output logic                   cmd_valid_o,
  input  logic                   cmd_ready_i,
  output logic [AddressBits-1:0] cmd_address_o,
  output logic [           31:0] cmd_bytes_o,
  input  logic                   beat_valid_i,
  output logic                   beat_ready_o,
  input  logic [   WordBits-1:0] beat_data_i,
  input  logic [ OffsetBits-1:0] beat_offset_i,
  input  logic                   beat_last_i,
  input  logic                   beat_error_i,

  output logic                        act_valid_o,
  input  logic                        act_ready_i,
  output act_address_t                act_address_o,
  output u2_t                         act_log2_l_o,
  output logic         [WordBits-1:0] act_data_o,

  output logic                                    wgt_valid_o,
  input  logic                                    wgt_ready_i,
  output wgt_address_t                            wgt_address_o,
  output logic         [WordBits*OutputLanes-1:0] wgt_data_o,     // byte k*C + c

  output logic                           par_valid_o,
  input  logic                           par_ready_i,
  output par_address_t                   par_address_o,
  output par_t         [OutputLanes-1:0] par_data_o,

  output logic          done_o,
  output u3_t           signal_to_o,
  output logic          busy_o,
  output error_e        error_o,
  output logic   [31:0] error_index_o
);

  localparam int unsigned WgtBeats = OutputLanes;
  localparam int unsigned ParWordBits = $bits(par_t) * OutputLanes;
  localparam int unsigned ParBeats = ParWordBits / WordBits;
  localparam int unsigned MaxBeats = WgtBeats > ParBeats ? WgtBeats : ParBeats;
  localparam int unsigned CountBits = $clog2(MaxBeats + 1);
  if (ParWordBits % WordBits != 0 || $bits(par_t) != 8 * 7) begin : gen_check
    $error("load: a par word of %0d bits is no whole AXI words, or not 7*K bytes", ParWordBits);
  end

  typedef struct packed {
    logic        is_unfold;  // these three: what the opcode says, so that nothing waits for it
    logic        is_wgt;
    logic        is_par;
    logic [31:0] index;
    load_t       instr;
  } job_t;

  // -- Reads ------------------------------------------------------------------------------------

  logic commands_ready, jobs_ready, range_error, unused_last;
  logic [31:0] run_bytes, range_index;

  assign instr_ready_o = commands_ready && jobs_ready;

  // Sums and shifts: a product would take a DSP.
  wire [31:0] run_words = 32'(instr_i.run_words) + 32'd1;
  wire [31:0] row_pixels = 32'(instr_i.row_pixels);
  wire [31:0] row_bytes  = (instr_i.pixel_bytes[0] ? row_pixels : '0)
                         + (instr_i.pixel_bytes[1] ? row_pixels << 1 : '0)
                         + (instr_i.pixel_bytes[2] ? row_pixels << 2 : '0);

  always_comb begin
    unique case (instr_i.opcode)
      OpcodeUnfold:  run_bytes = row_bytes;
      OpcodeLoadWgt: run_bytes = run_words << $clog2(WgtBeats * InputLanes);
      OpcodeLoadPar: run_bytes = ((run_words << 3) - run_words) << $clog2(OutputLanes);
      default:       run_bytes = run_words << OffsetBits;
    endcase
  end

  run_commands #(
    .WordBytes  (InputLanes),
    .AddressBits(AddressBits)
  ) u_commands (
    .clk_i,
    .rst_ni,
    .valid_i      (instr_valid_i && jobs_ready),
    .ready_o      (commands_ready),
    .offset_i     (instr_i.dram_offset),
    .advance_i    (instr_advance_i),
    .stride_i     (instr_i.dram_stride),
    .runs_i       (instr_i.runs),
    .bytes_i      (run_bytes),
    .whole_words_i(instr_i.opcode != OpcodeUnfold),
    .base_i       (base_i[instr_i.base]),
    .size_i       (size_i[instr_i.base]),
    .index_i      (instr_index_i),
    .cmd_valid_o,
    .cmd_ready_i,
    .cmd_address_o,
    .cmd_bytes_o,
    .cmd_last_o   (unused_last),
    .error_o      (range_error),
    .error_index_o(range_index)
  );

  job_t job_in, job;
  load_t instr;
  logic job_valid, finish, jobs_empty;

  assign job_in = '{
          is_unfold: instr_i.opcode == OpcodeUnfold,
          is_wgt: instr_i.opcode == OpcodeLoadWgt,
          is_par: instr_i.opcode == OpcodeLoadPar,
          index: instr_index_i,
          instr: instr_i
      };

  registered_fifo #(
    .Width($bits(job_t)),
    .Depth(Jobs)
  ) u_jobs (
    .clk_i,
    .rst_ni,
    .valid_i(instr_valid_i && commands_ready),
    .ready_o(jobs_ready),
    .data_i (job_in),
    .valid_o(job_valid),
    .ready_i(finish),
    .data_o (job),
    .empty_o(jobs_empty)
  );

  // -- Words ------------------------------------------------------------------------------------

  logic active_q, ended_q, unfold_idle, last;  // ended: the last word was written
  logic assembler_beat_ready, assembler_valid, unfold_beat_ready, unfold_valid;
  logic word_valid, word_ready, beat_valid, beat_ready, beat_error, beat_last;
  logic end_ready, end_empty;
  logic [WordBits-1:0] unfold_word;
  logic [MaxBeats*WordBits-1:0] word;
  logic [CountBits-1:0] word_beats;
  u20_t address;
  logic [WordBits-1:0] beat_data;
  logic [OffsetBits-1:0] beat_offset;

  skid_buffer #(
    .Width(2 + OffsetBits + WordBits)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .valid_i(beat_valid_i),
    .ready_o(beat_ready_o),
    .data_i ({beat_error_i, beat_last_i, beat_offset_i, beat_data_i}),
    .valid_o(beat_valid),
    .ready_i(beat_ready),
    .data_o ({beat_error, beat_last, beat_offset, beat_data})
  );

  assign instr = job.instr;
  wire start = job_valid && !active_q;
  wire written = word_valid && word_ready;

  // Beats behind the last word are the next job's; those behind UNFOLD's last column are still its.
  wire beats_over = ended_q || (assembler_valid && last);
  wire feed = active_q && !job.is_unfold && !beats_over;
  wire ends = active_q && ((written && last) || ended_q) && (unfold_idle || !job.is_unfold);

  assign finish     = ends && end_ready;
  assign beat_ready = unfold_beat_ready || (feed && assembler_beat_ready);
  assign word_valid = job.is_unfold ? unfold_valid : assembler_valid;
  assign word_ready = job.is_wgt ? wgt_ready_i : job.is_par ? par_ready_i : end_ready;
  assign word_beats = job.is_wgt ? CountBits'(WgtBeats)
                    : job.is_par ? CountBits'(ParBeats) : CountBits'(1);

  word_walker u_walker (
    .clk_i,
    .start_i      (!active_q),
    .address_i    (instr.address),
    .inner_i      (job.is_unfold ? instr.column_words : 5'd1),
    .middle_i     (job.is_unfold ? 16'(instr.columns) - 16'd1 : instr.run_words),
    .outer_i      (instr.runs),
    .inner_step_i (instr.plane),
    .middle_step_i(instr.distance),
    .outer_step_i (instr.stride),
    .next_i       (written),
    .address_o    (address),
    .last_o       (last)
  );

  word_assembler #(
    .BeatBits(WordBits),
    .MaxBeats(MaxBeats)
  ) u_assembler (
    .clk_i,
    .rst_ni,
    .beats_i     (word_beats),
    .beat_valid_i(beat_valid && feed),
    .beat_ready_o(assembler_beat_ready),
    .beat_data_i (beat_data),
    .word_valid_o(assembler_valid),
    .word_ready_i(word_ready && !job.is_unfold),
    .word_o      (word)
  );

  unfold u_unfold (
    .clk_i,
    .rst_ni,
    .start_i       (start && job.is_unfold),
    .idle_o        (unfold_idle),
    .runs_i        (instr.runs),
    .pixel_bytes_i (instr.pixel_bytes),
    .row_pixels_i  (instr.row_pixels),
    .columns_i     (instr.columns),
    .kernel_w_i    (instr.kernel_w),
    .stride_x_i    (instr.stride_x),
    .pad_left_i    (instr.pad_left),
    .column_words_i(instr.column_words),
    .beat_valid_i  (beat_valid),
    .beat_ready_o  (unfold_beat_ready),
    .beat_data_i   (beat_data),
    .beat_offset_i (beat_offset),
    .beat_last_i   (beat_last),
    .word_valid_o  (unfold_valid),
    .word_ready_i  (end_ready),
    .word_o        (unfold_word)
  );

  assign wgt_valid_o = word_valid && job.is_wgt;
  assign par_valid_o = word_valid && job.is_par;

  assign wgt_address_o = wgt_address_t'(address);
  assign wgt_data_o    = word[MaxBeats*WordBits-1 -: WgtBeats*WordBits];
  assign par_address_o = par_address_t'(address);
  assign par_data_o    = word[MaxBeats*WordBits-1 -: ParWordBits];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      ended_q  <= 1'b0;
    end else begin
      active_q <= start || (active_q && !finish);
      ended_q  <= !finish && (ended_q || (written && last));
    end
  end

  load_end u_end (
    .clk_i,
    .rst_ni,
    .write_i      (word_valid && !job.is_wgt && !job.is_par),
    .ends_i       (ends),
    .ready_o      (end_ready),
    .address_i    (act_address_t'(address)),
    .log2_l_i     (instr.interleave),
    .data_i       (job.is_unfold ? unfold_word : word[MaxBeats*WordBits-1-:WordBits]),
    .signal_to_i  (instr.signal_to),
    .empty_o      (end_empty),
    .read_error_i (beat_valid && beat_ready && beat_error),
    .read_index_i (job.index),
    .range_error_i(range_error),
    .range_index_i(range_index),
    .act_valid_o,
    .act_ready_i,
    .act_address_o,
    .act_log2_l_o,
    .act_data_o,
    .done_o,
    .signal_to_o,
    .error_o,
    .error_index_o
  );

  assign busy_o = !jobs_empty || !end_empty;

  // Addresses wrap.
  logic unused_bits;
  assign unused_bits = ^{instr, address};

endmodule
