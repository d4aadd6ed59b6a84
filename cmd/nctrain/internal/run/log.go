package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const logFile = "log.jsonl"

// eventLog appends to log.jsonl, one event a line.
type eventLog struct {
	file *os.File
	size int64 // of whole lines
}

// openLog opens the log of a run, cut back to its last whole line.
func openLog(dir string) (*eventLog, error) {
	path := filepath.Join(dir, logFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, describe(path, err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		file.Close()
		return nil, describe(path, err)
	}
	return &eventLog{file: file, size: int64(bytes.LastIndexByte(text, '\n') + 1)}, nil
}

// add appends an event with the time, and the given fields.
func (l *eventLog) add(event string, fields map[string]any) error {
	all := map[string]any{"time": time.Now().UTC().Format(time.RFC3339Nano), "event": event}
	for key, value := range fields {
		all[key] = value
	}
	line, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("run: %s: %w", logFile, err)
	}
	line = append(line, '\n')
	if _, err = l.file.WriteAt(line, l.size); err == nil {
		l.size += int64(len(line))
		err = l.file.Truncate(l.size) // what stood behind: a line that a kill or a full disk cut short
	} else {
		_ = l.file.Truncate(l.size) // no half line stays; the failure to write is the one to report
	}
	if err != nil {
		return describe(l.file.Name(), err)
	}
	return nil
}

func (l *eventLog) Close() error { return l.file.Close() }
