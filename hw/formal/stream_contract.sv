// SPDX-License-Identifier: Apache-2.0
//
// The stream contract: valid is low after reset; once valid, an item stays as it is until ready.
// Asserted of what a design sends; assumed, with Assume, of what it is sent.

module stream_contract #(
  parameter int unsigned Width  = 1,    // bits of an item
  parameter bit          Assume = 1'b0
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             valid_i,
  input logic             ready_i,
  input logic [Width-1:0] data_i
);

  if (Assume) begin : gen_assume
    always_ff @(posedge clk_i) begin
      if (rst_ni) begin
        assume (!valid_i || $past(rst_ni));
        assume (!$past(rst_ni && valid_i && !ready_i) || (valid_i && $stable(data_i)));
      end
    end
  end else begin : gen_assert
    // verilog_format: off  (a table of properties)
    always_ff @(posedge clk_i) begin
      if (rst_ni) begin
        low_after_reset: assert (!valid_i || $past(rst_ni));
        item_stays: assert (!$past(rst_ni && valid_i && !ready_i)
                            || (valid_i && $stable(data_i)));
        stalled_c: cover ($past(rst_ni && valid_i && !ready_i));
      end
    end
    // verilog_format: on
  end

endmodule
