// SPDX-License-Identifier: Apache-2.0
//
// Which instruction `fetch` reads, and in which iteration:
//
//   index      counts from section once on; body's first is the same in every iteration
//   advance    iteration * stride of INPUT and of OUTPUT, all ones if 32 bits hold no more
//
// Handshake: none.
// Latency: 1 cycle from began_i to the outputs of its instruction, which hold until the next one's.

module instruction_counter
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic     start_i,     // one cycle: of the program
  input request_t request_i,   // strides; holds
  input logic     began_i,     // one cycle: an instruction
  input logic     body_i,      // it is of section body
  input logic     pass_ends_i, // one cycle, not that of began_i: once, or an iteration

  output u32_t index_o,           // of the instruction
  output u32_t next_index_o,      // of the instruction that begins next
  output u32_t input_advance_o,   // bytes
  output u32_t output_advance_o,  // bytes
  output u32_t iteration_o        // of body: begun since start_i; a reset leaves it
);

  u32_t next_index_q, body_index_q, input_advance_q, output_advance_q;
  logic in_body_q;

  wire begins = began_i && body_i && !in_body_q;  // an iteration

  function automatic u32_t saturating(input u32_t a, input u32_t b);
    logic [32:0] sum = {1'b0, a} + {1'b0, b};
    return sum[32] ? '1 : sum[31:0];
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) begin
      next_index_q     <= '0;
      body_index_q     <= '0;
      input_advance_q  <= '0;
      output_advance_q <= '0;
      in_body_q        <= 1'b0;
    end else begin
      // An index grows with the first beat of an instruction; body begins with that of once's end.
      if (began_i) next_index_q <= next_index_q + 32'd1;
      if (begins) {in_body_q, body_index_q} <= {1'b1, next_index_q};
      if (pass_ends_i && body_i) begin
        in_body_q        <= 1'b0;
        next_index_q     <= body_index_q;
        input_advance_q  <= saturating(input_advance_q, request_i.input_stride);
        output_advance_q <= saturating(output_advance_q, request_i.output_stride);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    // Of interest after a failure, which resets all else.
    if (start_i) iteration_o <= '0;
    else if (begins) iteration_o <= iteration_o + 32'd1;

    if (began_i) begin
      index_o          <= next_index_q;
      input_advance_o  <= input_advance_q;
      output_advance_o <= output_advance_q;
    end
  end

  assign next_index_o = next_index_q;

endmodule
