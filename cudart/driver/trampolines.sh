#!/bin/sh
# Reads the names of driver functions, one a line, and writes x86-64 assembly: each function jumps through its slot; where the slot is still empty,
# nctrain_driver_resolve (bind.c) fills it first, with the caller's argument registers put aside.
set -eu
symbols=$(cat)
cat <<'T'
.intel_syntax noprefix
.section .note.GNU-stack,"",@progbits
.text
resolve_and_jump:
  push rdi
  push rsi
  push rdx
  push rcx
  push r8
  push r9
  push rbp
  mov rbp, rsp
  sub rsp, 128
  and rsp, -16
  movups [rsp], xmm0
  movups [rsp+16], xmm1
  movups [rsp+32], xmm2
  movups [rsp+48], xmm3
  movups [rsp+64], xmm4
  movups [rsp+80], xmm5
  movups [rsp+96], xmm6
  movups [rsp+112], xmm7
  mov edi, eax
  call nctrain_driver_resolve
  movups xmm0, [rsp]
  movups xmm1, [rsp+16]
  movups xmm2, [rsp+32]
  movups xmm3, [rsp+48]
  movups xmm4, [rsp+64]
  movups xmm5, [rsp+80]
  movups xmm6, [rsp+96]
  movups xmm7, [rsp+112]
  mov rsp, rbp
  pop rbp
  pop r9
  pop r8
  pop rcx
  pop rdx
  pop rsi
  pop rdi
  jmp rax
T
i=0
for s in $symbols; do
  printf '.globl %s\n.type %s,@function\n%s:\n  mov rax, [rip+nctrain_driver_slots+%d]\n  test rax, rax\n  jz 1f\n  jmp rax\n1:mov eax, %d\n  jmp resolve_and_jump\n' \
    "$s" "$s" "$s" $((8 * i)) $i
  i=$((i + 1))
done
printf '.bss\n.balign 8\n.globl nctrain_driver_slots\nnctrain_driver_slots: .zero %d\n' $((8 * i))
printf '.section .data.rel.ro,"aw"\n.balign 8\n.globl nctrain_driver_names\nnctrain_driver_names:\n'
for s in $symbols; do printf '.quad name_%s\n' "$s"; done
printf '.section .rodata\n'
for s in $symbols; do printf 'name_%s: .asciz "%s"\n' "$s" "$s"; done
