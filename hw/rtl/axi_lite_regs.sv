// SPDX-License-Identifier: Apache-2.0
//
// The registers of docs/isa.md behind AXI4-Lite, 32 bits wide.
//
// Handshake: AXI4-Lite; address and data of a write are taken together, responses are always OKAY.
// No output hangs on an input of the same cycle (IHI0022, A3.2.1), so there is an access every second
// cycle at best: an address is taken while no response waits, that of a write a cycle after it and
// its data are there. Latency: 1 cycle from a taken address to its response. Writes obey strobes;
// those of registers or bits that cannot be written do nothing. Offsets without a register, and
// those that can only be written, read as 0. The high word of a counter may be newer than the low
// word read before it, unless the engine is at rest.
// start_o: one cycle, when control.start is written while busy_i is low, and control.reset is not.
// reset_o: one cycle, when control.reset is written. Neither changes a register.
// interrupt_status takes a bit when done_i or failed_i rises; interrupt_o is high while one is set
// that interrupt_enable has.

module axi_lite_regs
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic        axi_awvalid_i,
  output logic        axi_awready_o,
  input  logic [ 7:0] axi_awaddr_i,
  input  logic        axi_wvalid_i,
  output logic        axi_wready_o,
  input  logic [31:0] axi_wdata_i,
  input  logic [ 3:0] axi_wstrb_i,
  output logic        axi_bvalid_o,
  input  logic        axi_bready_i,
  output logic [ 1:0] axi_bresp_o,
  input  logic        axi_arvalid_i,
  output logic        axi_arready_o,
  input  logic [ 7:0] axi_araddr_i,
  output logic        axi_rvalid_o,
  input  logic        axi_rready_i,
  output logic [31:0] axi_rdata_o,
  output logic [ 1:0] axi_rresp_o,

  output logic                   start_o,
  output logic                   reset_o,
  output logic                   interrupt_o,
  output logic [AddressBits-1:0] program_address_o,
  output logic [           31:0] once_bytes_o,
  output logic [           31:0] body_bytes_o,
  output logic [           31:0] count_o,
  output logic [AddressBits-1:0] base_o           [4],  // of the buffers, by base_e
  output logic [           31:0] size_o           [4],
  output logic [           31:0] input_stride_o,
  output logic [           31:0] output_stride_o,

  input logic          busy_i,
  input logic          done_i,
  input logic          failed_i,
  input error_e        error_i,
  input logic   [31:0] failing_instruction_i,
  input logic   [31:0] iteration_i,
  input logic   [31:0] waiting_i,
  input logic   [63:0] counters_i           [8]  // cycles to written_bytes, in the table's order
);

  // Registers that are read and written lie between RegProgramAddress and RegCycles; `iteration`
  // among them has a place there, which nothing reads.
  localparam int unsigned First = 32'(RegProgramAddress) / 4;
  localparam int unsigned Count = (32'(RegCycles) - 32'(RegProgramAddress)) / 4;

  logic [31:0] values_q[Count];
  logic [1:0] enable_q, pending_q;
  logic done_q, failed_q;

  function automatic logic [63:0] pair(input logic [31:0] values[Count], input logic [7:0] at);
    return {values[32'(at)/4-First+1], values[32'(at)/4-First]};
  endfunction

  // -- Writes -----------------------------------------------------------------------------------

  // What is valid stays until it is taken: it is there in the cycle after it was seen.
  wire write = axi_awready_o;

  assign axi_wready_o = axi_awready_o;
  assign axi_bresp_o  = 2'b00;

  wire [5:0] write_word = axi_awaddr_i[7:2];
  wire write_low = write && axi_wstrb_i[0];
  wire control = write_low && write_word == RegControl[7:2];
  wire acknowledge = write_low && write_word == RegInterruptStatus[7:2];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      axi_awready_o <= 1'b0;
      axi_bvalid_o  <= 1'b0;
      start_o       <= 1'b0;
      reset_o       <= 1'b0;
      enable_q      <= '0;
      pending_q     <= '0;
      done_q        <= 1'b0;
      failed_q      <= 1'b0;
    end else begin
      axi_awready_o <= axi_awvalid_i && axi_wvalid_i && !write && (!axi_bvalid_o || axi_bready_i);
      axi_bvalid_o  <= write || (axi_bvalid_o && !axi_bready_i);
      start_o       <= control && axi_wdata_i[ControlStart] && !busy_i
                       && !axi_wdata_i[ControlReset];
      reset_o       <= control && axi_wdata_i[ControlReset];
      if (write_low && write_word == RegInterruptEnable[7:2]) enable_q <= axi_wdata_i[1:0];
      done_q        <= done_i;
      failed_q      <= failed_i;
      pending_q     <= (pending_q & ~(acknowledge ? axi_wdata_i[1:0] : 2'b00))
                       | {failed_i && !failed_q, done_i && !done_q};
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned i = 0; i < Count; i++) begin
      for (int unsigned b = 0; b < 4; b++) begin
        if (write && axi_wstrb_i[b] && 32'(write_word) == First + i) begin
          values_q[i][8*b+:8] <= axi_wdata_i[8*b+:8];
        end
      end
    end
  end

  assign interrupt_o       = |(pending_q & enable_q);
  assign program_address_o = AddressBits'(pair(values_q, RegProgramAddress));
  assign once_bytes_o      = values_q[32'(RegOnceBytes) / 4 - First];
  assign body_bytes_o      = values_q[32'(RegBodyBytes) / 4 - First];
  assign count_o           = values_q[32'(RegCount) / 4 - First];
  assign input_stride_o    = values_q[32'(RegInputStride) / 4 - First];
  assign output_stride_o   = values_q[32'(RegOutputStride) / 4 - First];
  for (genvar b = 0; b < 4; b++) begin : gen_base
    assign base_o[b] = AddressBits'(pair(values_q, RegWeightsAddress + 8'(8 * b)));
    assign size_o[b] = values_q[32'(RegWeightsBytes) / 4 - First + b];
  end

  // -- Reads ------------------------------------------------------------------------------------

  wire read = axi_arvalid_i && axi_arready_o;
  wire [5:0] read_word = axi_araddr_i[7:2];
  wire [5:0] from_first = read_word - 6'(First);
  wire [5:0] from_cycle = read_word - RegCycles[7:2];
  logic [31:0] data;

  assign axi_arready_o = !axi_rvalid_o;
  assign axi_rresp_o   = 2'b00;

  always_comb begin
    data = '0;
    if (read_word >= RegCycles[7:2]) begin
      if (from_cycle < 6'd16) begin
        data = from_cycle[0] ? counters_i[from_cycle[3:1]][63:32]
                             : counters_i[from_cycle[3:1]][31:0];
      end else if (read_word == RegWaiting[7:2]) begin
        data = waiting_i;
      end
    end else begin
      unique case (read_word)
        RegId[7:2]:                 data = Magic;
        RegVersion[7:2]:            data = FormatVersion;
        RegDigest[7:2]:             data = Digest[31:0];
        RegDigest[7:2] + 6'd1:      data = Digest[63:32];
        RegControl[7:2]:            data = '0;
        RegStatus[7:2]: begin
          data[StatusBusy]   = busy_i;
          data[StatusDone]   = done_i;
          data[StatusFailed] = failed_i;
        end
        RegError[7:2]:              data = 32'(error_i);
        RegFailingInstruction[7:2]: data = failing_instruction_i;
        RegInterruptEnable[7:2]:    data = 32'(enable_q);
        RegInterruptStatus[7:2]:    data = 32'(pending_q);
        RegIteration[7:2]:          data = iteration_i;
        default:                    data = values_q[from_first[4:0]];
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      axi_rvalid_o <= 1'b0;
    end else begin
      axi_rvalid_o <= read || (axi_rvalid_o && !axi_rready_i);
    end
  end

  always_ff @(posedge clk_i) if (read) axi_rdata_o <= data;

  if (InterruptEnableDone != InterruptStatusDone || InterruptEnableFailed != InterruptStatusFailed)
  begin : gen_check
    $error("axi_lite_regs: enable and status of an interrupt are different bits");
  end

  // Accesses are whole words.
  logic unused_address;
  assign unused_address = ^{axi_awaddr_i[1:0], axi_araddr_i[1:0], from_first[5]};

endmodule
