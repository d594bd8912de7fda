"""The stage `finetune`: one arm, trained by the method that `arms` names."""
