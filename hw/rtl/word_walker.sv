// SPDX-License-Identifier: Apache-2.0
//
// The scratchpad side of load and store: the addresses of an instruction's words,
//
//   address_i + outer*outer_step + middle*middle_step + inner*inner_step     modulo 2**20
//
// the inner index fastest. A run of words has one word in the inner level.
//
// Handshake: start_i, as many cycles as it lasts, takes address and counts; next_i moves on to the
// next address, in any cycle after that. Outputs are registers. The steps hold from start to last.

module word_walker (
  input logic clk_i,

  input logic        start_i,        // takes address and counts
  input logic [19:0] address_i,      // of the first word
  input logic [ 4:0] inner_i,        // words, from 1 up
  input logic [15:0] middle_i,       // value - 1
  input logic [15:0] outer_i,        // value - 1
  input logic [19:0] inner_step_i,   // words of act from one to the next
  input logic [15:0] middle_step_i,  // from column to column, or word to word
  input logic [19:0] outer_step_i,   // two's complement

  input  logic        next_i,     // one cycle: move on
  output logic [19:0] address_o,  // of the word
  output logic        last_o      // it is the last one
);

  // What is left of each level, and where the words of the present middle and outer index begin.
  logic [4:0] inner_q;
  logic [15:0] middle_q, outer_q;
  logic [19:0] address_q, column_q, run_q;

  // Registers too: whether an index is the last of its level, and all of them.
  logic inner_last_q, middle_last_q, outer_last_q, last_q;
  logic inner_last_d, middle_last_d, outer_last_d;
  wire middle_ends = inner_last_q && middle_last_q;

  always_comb begin
    inner_last_d  = inner_last_q ? inner_i == 5'd1 : inner_q == 5'd2;
    middle_last_d = middle_last_q;
    outer_last_d  = outer_last_q;
    if (inner_last_q) middle_last_d = middle_last_q ? middle_i == '0 : middle_q == 16'd1;
    if (middle_ends) outer_last_d = outer_q == 16'd1;
    if (start_i) begin
      inner_last_d  = inner_i == 5'd1;
      middle_last_d = middle_i == '0;
      outer_last_d  = outer_i == '0;
    end
  end

  wire [19:0] next_word = address_q + inner_step_i;
  wire [19:0] next_column = column_q + 20'(middle_step_i);
  wire [19:0] next_run = run_q + outer_step_i;

  assign address_o = address_q;
  assign last_o    = last_q;

  always_ff @(posedge clk_i) begin
    if (start_i || next_i) begin
      inner_last_q  <= inner_last_d;
      middle_last_q <= middle_last_d;
      outer_last_q  <= outer_last_d;
      last_q        <= inner_last_d && middle_last_d && outer_last_d;
    end
    if (start_i) begin
      inner_q   <= inner_i;
      middle_q  <= middle_i;
      outer_q   <= outer_i;
      address_q <= address_i;
      column_q  <= address_i;
      run_q     <= address_i;
    end else if (next_i) begin
      inner_q <= inner_last_q ? inner_i : inner_q - 5'd1;
      if (middle_ends) begin
        middle_q  <= middle_i;
        outer_q   <= outer_q - 16'd1;
        address_q <= next_run;
        column_q  <= next_run;
        run_q     <= next_run;
      end else if (inner_last_q) begin
        middle_q  <= middle_q - 16'd1;
        address_q <= next_column;
        column_q  <= next_column;
      end else begin
        address_q <= next_word;
      end
    end
  end

endmodule
